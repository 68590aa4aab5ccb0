import { Turns } from '../flow/turns.ts';
import { FORECAST } from '../limits.ts';
import type { Clock } from '../ports/environment.ts';
import type { Candidate } from '../retention/candidate.ts';
import { forecast } from '../retention/forecast.ts';
import type { PrunePlan, SeriesPlan } from './prune.ts';

/** What a forecast goes by. */
export interface ForecastOptions {
  /** Tells what time it is, and when others are to be let in. */
  readonly clock: Clock;
  /** Milliseconds between two archives of a series. Default: what is usual between those that are there, else a day. */
  readonly everyMs?: number;
}

/**
 * Tells when a prune is going to remove each archive of a plan, milliseconds since 1970, by id, if its series goes on as it did
 * and the same prune follows each backup. An archive that stays as far as can be seen is not in the result: protected ones,
 * and those of years to come.
 */
export async function forecastPrune(plan: PrunePlan, options: ForecastOptions): Promise<Map<string, number>> {
  const goes = new Map<string, number>();
  const turns = new Turns(options.clock);
  for (const series of plan.series) {
    const steps = outlookOf(plan, series, options);
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) {
        for (const [{ id }, atMs] of step.value) goes.set(id, atMs);
        break;
      }
      const wait = turns.yieldIfDue();
      if (wait !== undefined) await wait;
    }
  }
  return goes;
}

type Named = Candidate & { readonly id: string };

function outlookOf(
  { policy, timeZone }: PrunePlan,
  { verdicts }: SeriesPlan,
  { clock, everyMs }: ForecastOptions,
): Generator<undefined, Map<Named, number>> {
  const archives = verdicts.map(({ archive, timeMs }): Named => {
    const { id, seq, protect, descriptor } = archive;
    return { id, timeMs, seq, complete: descriptor.complete, protect };
  });
  const kept = verdicts.filter(({ reasons }) => reasons.length > 0).length;
  return forecast(archives, {
    policy,
    timeZone,
    nowMs: Number(clock.nowNs() / 1_000_000n),
    everyMs: everyMs ?? usualGapMs(archives),
    steps: Math.min(FORECAST.steps, Math.floor(FORECAST.verdicts / Math.max(1, kept))),
  });
}

/** The middle one of the times between the newest archives. */
function usualGapMs(archives: readonly Candidate[]): number {
  const times = archives.map(({ timeMs }) => timeMs).filter((timeMs) => timeMs !== undefined);
  const newest = times.toSorted((a, b) => b - a).slice(0, FORECAST.gaps + 1);
  const gaps = newest.slice(1).map((timeMs, i) => (newest[i] ?? timeMs) - timeMs);
  const middle = gaps.toSorted((a, b) => a - b)[gaps.length >> 1];
  return Math.max(FORECAST.leastGapMs, middle ?? FORECAST.defaultGapMs);
}
