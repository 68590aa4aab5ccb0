import { describe, expect, it } from 'vitest';

import type { Candidate } from './candidate.ts';
import { forecast, type Outlook } from './forecast.ts';

const DAY = 86_400_000;
const NOW = '2026-11-21T12:00:00Z';

function archivesAt(...times: readonly string[]): Candidate[] {
  return times.map((time, i) => ({ timeMs: Date.parse(time), seq: i + 1, complete: true, protect: false }));
}

function goes(archives: readonly Candidate[], outlook: Partial<Outlook>): (string | undefined)[] {
  const options = {
    policy: { daily: 3 },
    timeZone: 'UTC',
    nowMs: Date.parse(NOW),
    everyMs: DAY,
    steps: 50,
    ...outlook,
  };
  const steps = forecast(archives, options);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done !== true) continue;
    const found = step.value;
    return archives.map((archive) => {
      const ms = found.get(archive);
      return ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 16);
    });
  }
}

// Expected by hand: each new archive pushes out the oldest one that the rule counts.
describe('a forecast', () => {
  it('says that each new day pushes out the oldest of the days that are kept', () => {
    const three = archivesAt('2026-11-19T03:00:00Z', '2026-11-20T03:00:00Z', '2026-11-21T03:00:00Z');
    expect(goes(three, {})).toEqual(['2026-11-22T03:00', '2026-11-23T03:00', '2026-11-24T03:00']);
  });

  it('says now of what the policy does not keep already', () => {
    const two = archivesAt('2026-11-21T02:00:00Z', '2026-11-21T03:00:00Z');
    expect(goes(two, { policy: { daily: 1 } })).toEqual(['2026-11-21T12:00', '2026-11-22T03:00']);
  });

  it('follows the rules of weeks, and that of the oldest archive', () => {
    // A Friday and a Saturday. On Sunday the daily rule takes the newest, and the weekly rule, which has nothing older, the
    // oldest: the Saturday goes. On Monday the weekly rule takes the Sunday: the Friday goes.
    const two = archivesAt('2026-11-20T03:00:00Z', '2026-11-21T03:00:00Z');
    expect(goes(two, { policy: { daily: 1, weekly: 1 } })).toEqual(['2026-11-23T03:00', '2026-11-22T03:00']);
  });

  it('begins now when the series has not been backed up for long, and knows nothing beyond its steps', () => {
    const one = archivesAt('2026-10-01T03:00:00Z');
    expect(goes(one, { policy: { last: 1 } })).toEqual(['2026-11-21T12:00']);
    expect(goes(one, { policy: { last: 5 }, steps: 4 })).toEqual([undefined]);
    expect(goes(one, { policy: { last: 5 }, steps: 5 })).toEqual(['2026-11-25T12:00']);
  });

  it('never lets go of what is protected', () => {
    const [one] = archivesAt('2026-11-19T03:00:00Z');
    expect(goes([{ ...(one as Candidate), protect: true }], { policy: { last: 1 } })).toEqual([undefined]);
  });
});
