import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Messages } from './messages.ts';
import { ProgressLine } from './progress-line.ts';
import { Stdout } from './stdout.ts';

let written: string[];

function terminal(columns: number, isTTY = true): NodeJS.WriteStream {
  const stream = { isTTY, columns, write: (text: string) => written.push(text) > 0 };
  return stream as unknown as NodeJS.WriteStream;
}

function lineOn(stream: NodeJS.WriteStream, quiet = false): { line: ProgressLine; messages: Messages } {
  const messages = new Messages(stream, new Stdout(stream), { quiet, verbose: false, progress: true });
  return { messages, line: new ProgressLine(messages) };
}

const MiB = 1024 * 1024;

beforeEach(() => {
  written = [];
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the progress line', () => {
  it('shows share, rate and time left, of the last seconds', () => {
    const { line } = lineOn(terminal(80));
    for (let second = 0; second <= 10; second++) {
      line.update(() => ({ bytes: second * 10 * MiB, totalBytes: 200 * MiB, facts: [`${second} files`] }));
      vi.advanceTimersByTime(1000);
    }
    expect(written.at(-1)).toBe('\r50 %  10.0 MiB/s  10 s left  10 files\u001b[K');
  });

  it('claims no share of a total that was passed', () => {
    const { line } = lineOn(terminal(80));
    line.update(() => ({ bytes: 20, totalBytes: 10, facts: ['2 files'] }));
    expect(written).toEqual(['\r2 files\u001b[K']);
  });

  it('is drawn ten times a second at most', () => {
    const { line } = lineOn(terminal(80));
    for (let i = 0; i < 100; i++) {
      line.update(() => ({ bytes: i, facts: [`${i} files`] }));
      vi.advanceTimersByTime(10);
    }
    expect(written.length).toBeLessThanOrEqual(11);
  });

  it('fits in the terminal, or in eighty columns of one that tells none', () => {
    for (const [columns, text] of [
      [20, 'one  two'],
      [0, 'one  two  threethreethree'],
    ] as const) {
      written = [];
      lineOn(terminal(columns)).line.update(() => ({ bytes: 0, facts: ['one', 'two', 'threethreethree'] }));
      expect(written).toEqual([`\r${text}\u001b[K`]);
    }
  });

  it('makes room for messages, and goes when the work is done', () => {
    const { line, messages } = lineOn(terminal(80));
    line.update(() => ({ bytes: 0, facts: ['1 file'] }));
    messages.info('hello');
    line.done();
    expect(written).toEqual(['\r1 file\u001b[K', '\r\u001b[K', 'hello\n', '\r1 file\u001b[K', '\r\u001b[K']);
  });

  it('is not there for a pipe, nor when quiet is asked for', () => {
    for (const { line } of [lineOn(terminal(80, false)), lineOn(terminal(80), true)]) {
      line.update(() => ({ bytes: 0, facts: ['1 file'] }));
      line.done();
    }
    expect(written).toEqual([]);
  });
});
