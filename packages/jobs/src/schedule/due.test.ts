import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ChangeTrigger } from './change-trigger.ts';
import { CronSchedule } from './cron.ts';
import { dueAt, handledBy } from './due.ts';
import { missedRuns } from './missed-runs.ts';

const NIGHTLY = new CronSchedule('30 2 * * *', 'UTC');
const at = (text: string): number => Date.parse(`${text}Z`);

describe('whether a job is due', () => {
  it('is when its time has come, once', () => {
    const before = dueAt(NIGHTLY, at('2026-01-01T12:00'), at('2026-01-02T02:29'), true);
    expect(before).toEqual({ kind: 'not yet', nextMs: at('2026-01-02T02:30') });
    const due = dueAt(NIGHTLY, at('2026-01-01T12:00'), at('2026-01-02T02:30'), true);
    expect(due).toEqual({ kind: 'due', atMs: at('2026-01-02T02:30'), missed: 0 });
    expect(dueAt(NIGHTLY, at('2026-01-02T02:30'), at('2026-01-02T02:31'), true).kind).toBe('not yet');
  });

  it('catches up with what was missed by one run, or tells of it', () => {
    const [last, now] = [at('2026-01-01T12:00'), at('2026-01-05T08:00')];
    expect(dueAt(NIGHTLY, last, now, true)).toEqual({ kind: 'due', atMs: at('2026-01-05T02:30'), missed: 4 });
    expect(dueAt(NIGHTLY, last, now, false)).toEqual({ kind: 'missed', atMs: at('2026-01-05T02:30'), missed: 4 });
  });

  it('is not early nor twice when the clock goes back, and does not wait for years when it had been wrong', () => {
    const ran = at('2026-01-02T02:30');
    // Back by two minutes: within what clocks do.
    expect(dueAt(NIGHTLY, ran, at('2026-01-02T02:28'), true).kind).toBe('not yet');
    expect(dueAt(NIGHTLY, ran, at('2026-01-02T02:30'), true).kind).toBe('not yet');
    // The clock had been in 2030.
    const wrong = at('2030-06-01T02:30');
    const handled = handledBy(wrong, at('2026-01-02T12:00'));
    expect(handled).toBe(at('2026-01-02T12:00'));
    expect(dueAt(NIGHTLY, handled, at('2026-01-03T02:30'), true)).toMatchObject({ kind: 'due', missed: 0 });
    expect(handledBy(ran, at('2026-01-02T02:28'))).toBe(ran);
  });

  it('runs once for each time, whatever the clock does on the way', () => {
    const hourly = new CronSchedule('0 * * * *', 'UTC');
    const start = at('2026-01-01T00:10');
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 240 }), { maxLength: 60 }), (steps) => {
        let now = start;
        let handled = start;
        const ran = new Set<number>();
        for (const minutes of steps) {
          now += minutes * 60_000;
          const due = dueAt(hourly, handled, now, true);
          if (due.kind === 'not yet') continue;
          expect(ran.has(due.atMs)).toBe(false);
          ran.add(due.atMs);
          handled = now;
        }
        const passed = Math.floor((now - at('2026-01-01T00:00')) / 3_600_000);
        // The last time that passed always had its run.
        if (passed > 0) expect(Math.max(...ran)).toBe(at('2026-01-01T00:00') + passed * 3_600_000);
      }),
    );
  });

  it('counts what was missed before a run', () => {
    const schedule = { cron: '30 2 * * *', 'time-zone': 'UTC' };
    const previous = { startedAt: '2026-01-01T02:30:00.400Z' };
    expect(missedRuns({ schedule }, previous, at('2026-01-02T02:30'))).toBe(0);
    expect(missedRuns({ schedule }, previous, at('2026-01-02T02:34'))).toBe(0);
    expect(missedRuns({ schedule }, previous, at('2026-01-04T02:30'))).toBe(2);
    expect(missedRuns({ schedule }, undefined, at('2026-01-04T02:30'))).toBe(0);
    expect(missedRuns({ schedule: undefined }, previous, at('2026-01-04T02:30'))).toBe(0);
  });
});

describe('a run on change', () => {
  it('comes when there is rest, and in any case after the ceiling', () => {
    const trigger = new ChangeTrigger(60, 300);
    expect(trigger.dueMs()).toBeUndefined();
    trigger.changed(1000);
    expect(trigger.dueMs()).toBe(1060);
    for (let ms = 1030; ms <= 1290; ms += 30) trigger.changed(ms);
    expect(trigger.dueMs()).toBe(1300);
    trigger.reset();
    expect(trigger.dueMs()).toBeUndefined();
    trigger.changed(2000);
    expect(trigger.dueMs()).toBe(2060);
  });
});
