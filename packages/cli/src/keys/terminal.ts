import { CairnError } from '@cairn/core';
import { openSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';

const ENTER = ['\r', '\n'];
const BACKSPACE = ['\b', '\u007f'];
const END_OF_INPUT = '\u0004';
const INTERRUPT = '\u0003';
const KILL_LINE = '\u0015';
/** ESC and what follows it: arrow keys and the like. */
const ESCAPE = '\u001b';

/** The terminal that a person sits at, even when standard input is a pipe. */
export class Terminal {
  private readonly input: ReadStream;
  private readonly output: WriteStream;
  /** What was typed or pasted beyond the line that was asked for. */
  private ahead = '';

  private constructor(input: ReadStream, output: WriteStream) {
    this.input = input;
    this.output = output;
  }

  /**
   * Undefined when nobody can answer: neither standard input nor standard error is a terminal, as in a pipe or a nightly job,
   * or the process has no terminal.
   */
  static open(): Terminal | undefined {
    if (process.stdin.isTTY !== true && process.stderr.isTTY !== true) return undefined;
    let input: number;
    let output: number;
    try {
      input = openSync('/dev/tty', 'r');
      output = openSync('/dev/tty', 'w');
    } catch {
      // ENXIO: a session without a terminal.
      return undefined;
    }
    return new Terminal(new ReadStream(input), new WriteStream(output));
  }

  close(): void {
    this.input.destroy();
    this.output.destroy();
  }

  say(text: string): void {
    this.output.write(`${text}\n`);
  }

  /** Asks for one line; what is typed shows. Rejects with `CANCELLED` on Ctrl-C or Ctrl-D. */
  ask(prompt: string): Promise<string> {
    return this.read(prompt, true);
  }

  /** Asks for one line; what is typed does not show. Rejects with `CANCELLED` on Ctrl-C or Ctrl-D. */
  askHidden(prompt: string): Promise<string> {
    return this.read(prompt, false);
  }

  private async read(prompt: string, echo: boolean): Promise<string> {
    this.output.write(prompt);
    this.input.setRawMode(true);
    try {
      return await this.line(echo);
    } finally {
      this.input.setRawMode(false);
      this.output.write('\n');
    }
  }

  private line(echo: boolean): Promise<string> {
    let typed: string[] = [];
    const show = (text: string): void => {
      if (echo) this.output.write(text);
    };
    return new Promise((resolve, reject) => {
      const done = (settle: () => void, rest: string): void => {
        this.ahead = rest;
        this.input.off('data', onData);
        this.input.pause();
        settle();
      };
      const take = (text: string): void => {
        const characters = [...text];
        for (const [i, character] of characters.entries()) {
          const rest = (): string => characters.slice(i + 1).join('');
          if (ENTER.includes(character)) return done(() => resolve(typed.join('')), rest());
          if (character === INTERRUPT || (character === END_OF_INPUT && typed.length === 0)) {
            return done(() => reject(new CairnError('CANCELLED', 'the question was not answered')), '');
          }
          if (character === ESCAPE) return undefined;
          if (BACKSPACE.includes(character)) {
            if (typed.pop() !== undefined) show('\b \b');
          } else if (character === KILL_LINE) {
            show('\b \b'.repeat(typed.length));
            typed = [];
          } else if (character >= ' ') {
            typed.push(character);
            show(character);
          }
        }
        return undefined;
      };
      const onData = (data: string): void => take(data);
      this.input.setEncoding('utf8');
      this.input.on('data', onData);
      this.input.resume();
      const ahead = this.ahead;
      this.ahead = '';
      if (ahead !== '') take(ahead);
    });
  }
}
