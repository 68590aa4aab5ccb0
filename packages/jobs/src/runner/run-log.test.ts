import { CairnError } from '@cairn/core';
import { describe, expect, it } from 'vitest';

import type { NewEvent } from '../runs/run-events.ts';
import type { RunWriter } from '../runs/run-writer.ts';
import { mayPass, stepStatus, verdict } from './outcome.ts';
import { Retries } from './retries.ts';
import { RunLog } from './run-log.ts';

/** Time that passes only while somebody waits, and what was waited for. */
class Time {
  ms = 0;
  readonly waits: number[] = [];
  readonly environment = {
    clock: { nowNs: () => 0n, monotonicMs: () => this.ms },
    random: { bytes: (length: number) => new Uint8Array(length) },
  };
  readonly timer = {
    wait: async (ms: number): Promise<void> => {
      this.waits.push(ms);
      this.ms += ms;
      await Promise.resolve();
    },
  };
}

const unreachable = new CairnError('STORE_UNREACHABLE', 'no answer');

describe('trying again', () => {
  async function attempts(limits: ConstructorParameters<typeof Retries>[0], takesMs = 0, error: Error = unreachable) {
    const time = new Time();
    const retries = new Retries(limits, time.environment, time.timer);
    let count = 0;
    const work = async (): Promise<never> => {
      count += 1;
      time.ms += takesMs;
      throw error;
    };
    await expect(retries.run(work, new AbortController().signal, () => undefined)).rejects.toBe(error);
    return { count, waits: time.waits };
  }

  it('waits twice as long each time, as often as is allowed', async () => {
    expect(await attempts({})).toEqual({ count: 3, waits: [60_000, 120_000] });
    expect(await attempts({ retries: 0 })).toEqual({ count: 1, waits: [] });
    expect(await attempts({ retries: 3, 'retry-wait': 1_000 })).toEqual({ count: 4, waits: [1_000, 2_000, 4_000] });
  });

  it('stays in its budget, of which the first attempt costs nothing', async () => {
    const limits = { retries: 100, 'retry-wait': 10_000, 'retry-budget': 100_000 };
    expect(await attempts(limits)).toEqual({ count: 4, waits: [10_000, 20_000, 40_000] });
    expect(await attempts(limits, 50_000)).toEqual({ count: 3, waits: [10_000, 20_000] });
  });

  it('is for what passes by itself only', async () => {
    for (const code of ['CORRUPT', 'WRONG_KEY', 'STORE_FULL', 'SHARE_EXCEEDED', 'CANCELLED', 'INTERNAL'] as const) {
      expect(await attempts({}, 0, new CairnError(code, 'no'))).toEqual({ count: 1, waits: [] });
      expect(mayPass(new CairnError(code, 'no'))).toBe(false);
    }
  });
});

describe('how a run ended', () => {
  const step = (name: string, error?: CairnError) => ({ step: name, status: stepStatus(error), seconds: 0, error });

  it('is told by the first step that failed', () => {
    const steps = [step('backup', unreachable), step('prune'), step('check', new CairnError('CORRUPT', 'damage'))];
    expect(steps.map(({ status }) => status)).toEqual([2, 0, 1]);
    expect(verdict(steps, 0, false)).toEqual({ status: 'failed', exit: 30 });
    expect(verdict([step('backup')], 0, false)).toEqual({ status: 'success', exit: 0 });
    expect(verdict([step('backup')], 2, false)).toEqual({ status: 'warning', exit: 3 });
    expect(verdict(steps, 0, true)).toEqual({ status: 'cancelled', exit: 130 });
    expect(stepStatus(new CairnError('HOST_UNSUPPORTED', 'no program'))).toBe(3);
  });
});

describe('what a run says', () => {
  it('is little progress, no line without end, and a word now and then', async () => {
    const time = new Time();
    const events: NewEvent[] = [];
    // What the log needs of a writer.
    const writer = { append: (event: NewEvent) => void events.push(event), seconds: 90 } as unknown as RunWriter;
    const log = new RunLog(writer, time.environment);
    log.stepStarted('backup');
    for (let i = 0; i < 100; i++) {
      log.progress('backup', { files: i });
      time.ms += 20;
    }
    // Two seconds: at most two of them each.
    expect(events.filter(({ type }) => type === 'progress')).toHaveLength(4);
    log.warn('x'.repeat(100_000));
    expect(events.at(-1)).toMatchObject({ type: 'log', step: 'backup', text: `${'x'.repeat(8192)} …` });
    expect(log.warnings).toBe(1);
    for (let i = 0; i < 1000; i++) log.info('y'.repeat(8000));
    expect(log.text().length).toBeLessThanOrEqual(1024 * 1024);

    events.length = 0;
    const stop = new AbortController();
    const waiting = log.keepAlive(
      1000,
      {
        wait: async (ms) => {
          await time.timer.wait(ms);
          if (time.waits.length === 3) stop.abort();
        },
      },
      stop.signal,
    );
    await waiting;
    expect(events).toEqual([
      { type: 'log', level: 'info', step: 'backup', text: 'goes on, for 1 min 30 s so far' },
      { type: 'log', level: 'info', step: 'backup', text: 'goes on, for 1 min 30 s so far' },
    ]);
  });
});
