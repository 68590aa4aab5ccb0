import {
  CairnError,
  type Because,
  type PruneOptions,
  type PrunePlan,
  type PruneReport,
  type Repository,
} from '@cairn/core';

import { policyKey, type PolicyBook, type SeriesPolicy } from './series-policy.ts';

/** What a prune is asked for: of some series or all, by the policies that hold or by another one. */
export interface PruneRequest {
  readonly series: readonly string[] | undefined;
  /** In place of the policies that hold. */
  readonly instead: Omit<PruneOptions, 'series'> | undefined;
}

/** A plan for each policy that has a part in it. */
export interface PrunePlans {
  readonly plans: readonly { readonly plan: PrunePlan; readonly policy: SeriesPolicy | undefined }[];
}

/** Plans what a prune would do. Rejects as `Repository.planPrune` does. */
export async function planPrunes(
  repository: Repository,
  policies: PolicyBook,
  { series, instead }: PruneRequest,
): Promise<PrunePlans> {
  if (instead !== undefined) {
    const plan = await repository.planPrune({ ...instead, ...(series === undefined ? {} : { series }) });
    return { plans: [{ plan, policy: undefined }] };
  }
  const asked = series ?? [...new Set(repository.archives().map(({ descriptor }) => descriptor.series))];
  const groups = new Map<string, { readonly policy: SeriesPolicy; readonly series: string[] }>();
  for (const name of asked) {
    const policy = policies.of(name);
    const key = policyKey(policy);
    const group = groups.get(key) ?? { policy, series: [] };
    group.series.push(name);
    groups.set(key, group);
  }
  const plans = [];
  for (const { policy, series: names } of groups.values()) {
    const { timeZone, time, maxShare } = policy;
    const plan = await repository.planPrune({
      policy: policy.policy,
      series: names,
      timeZone,
      time,
      ...(maxShare === undefined ? {} : { maxShare }),
    });
    plans.push({ plan, policy });
  }
  return { plans };
}

/**
 * Carries plans out, one after the other. Rejects as `Repository.prune` does; what was carried out before that stays, and
 * `details.applied` says how many plans that were.
 */
export async function applyPrunes(
  repository: Repository,
  { plans }: PrunePlans,
  who: Pick<Because, 'by'>,
): Promise<PruneReport[]> {
  const reports: PruneReport[] = [];
  for (const { plan } of plans) {
    try {
      reports.push(await repository.prune(plan, who));
    } catch (error) {
      if (!(error instanceof CairnError) || reports.length === 0) throw error;
      const { code, message, hint, details } = error;
      throw new CairnError(code, message, {
        ...(hint === undefined ? {} : { hint }),
        details: { ...details, applied: reports.length },
        cause: error,
      });
    }
  }
  return reports;
}
