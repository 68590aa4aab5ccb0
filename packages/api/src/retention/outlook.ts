import {
  forecastPrune,
  isCairnError,
  reasonText,
  type ArchiveRecord,
  type Clock,
  type PruneOptions,
  type PrunePlan,
  type Repository,
} from '@cairn/core';

import { policyKey, type PolicyBook, type SeriesPolicy } from './series-policy.ts';

/** Milliseconds for which a forecast holds when the archives stay the same. */
const HOLDS_MS = 3_600_000;

/** What retention has to say of one archive. */
export interface ArchiveOutlook {
  readonly policy: SeriesPolicy;
  /** Why it is kept, as `prune` says it; empty when the next prune removes it. */
  readonly reasons: readonly string[];
  /** When a prune is going to remove it if the series goes on as it did, milliseconds since 1970; undefined: not foreseen. */
  readonly goesMs: number | undefined;
}

interface SeriesOutlook {
  readonly key: string;
  readonly archives: ReadonlyMap<string, ArchiveOutlook>;
}

/** Says of the live archives of a repository why they are kept and when they go. What did not change is not worked out again. */
export class Outlooks {
  private readonly clock: Clock;
  private series = new Map<string, SeriesOutlook>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** By id. Rejects as `planPrune` does. */
  async of(repository: Repository, policies: PolicyBook): Promise<Map<string, ArchiveOutlook>> {
    const nowMs = Number(this.clock.nowNs() / 1_000_000n);
    const found = new Map<string, SeriesOutlook>();
    for (const [name, archives] of bySeries(repository.archives())) {
      const policy = policies.of(name);
      const key = `${Math.floor(nowMs / HOLDS_MS)} ${policyKey(policy)} ${archives.map(standing).join(' ')}`;
      const known = this.series.get(name);
      found.set(name, known?.key === key ? known : { key, archives: await this.outlook(repository, name, policy) });
    }
    this.series = found;
    return new Map([...found.values()].flatMap(({ archives }) => [...archives]));
  }

  private async outlook(
    repository: Repository,
    series: string,
    policy: SeriesPolicy,
  ): Promise<Map<string, ArchiveOutlook>> {
    const { timeZone, time } = policy;
    const plan = await planIfAny(repository, { policy: policy.policy, timeZone, time, series: [series] });
    if (plan === undefined) return new Map();
    const goes = await forecastPrune(plan, { clock: this.clock });
    return new Map(
      plan.series.flatMap(({ verdicts }) =>
        verdicts.map(({ archive, reasons }): [string, ArchiveOutlook] => [
          archive.id,
          { policy, reasons: reasons.map(reasonText), goesMs: goes.get(archive.id) },
        ]),
      ),
    );
  }
}

/** Undefined when the last archive of the series was deleted since it was listed. */
async function planIfAny(repository: Repository, options: PruneOptions): Promise<PrunePlan | undefined> {
  try {
    return await repository.planPrune(options);
  } catch (error) {
    if (isCairnError(error, 'ARCHIVE_MISSING')) return undefined;
    throw error;
  }
}

function bySeries(archives: readonly ArchiveRecord[]): Map<string, ArchiveRecord[]> {
  const series = new Map<string, ArchiveRecord[]>();
  for (const archive of archives) {
    const { series: name } = archive.descriptor;
    const others = series.get(name);
    if (others === undefined) series.set(name, [archive]);
    else others.push(archive);
  }
  return series;
}

/** What of an archive retention depends on. */
function standing({ id, protect, receivedMs }: ArchiveRecord): string {
  return `${id}${protect ? '!' : ''}${receivedMs}`;
}
