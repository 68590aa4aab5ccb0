import { CairnError } from '../errors.ts';
import { parseInterval } from './interval.ts';

/** Rules that keep the newest archive of each of a number of periods, from fine to coarse: the order in which they apply. */
export const PERIOD_RULES = [
  'secondly',
  'minutely',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  '13weekly',
  '3monthly',
  'yearly',
] as const;

/** Every rule that counts. */
export const COUNT_RULES = ['last', ...PERIOD_RULES] as const;
/** A rule that counts archives. */
export type CountRule = (typeof COUNT_RULES)[number];

/** How rules work together: the names of the programs that count so. */
export const ALGORITHMS = ['borg', 'restic', 'proxmox'] as const;
/** One of `ALGORITHMS`. */
export type RetentionAlgorithm = (typeof ALGORITHMS)[number];

/** Of a rule: keep as many as there are. */
export const KEEP_ALL = -1;

/** Which archives of a series to keep. A rule that is absent or 0 keeps nothing. */
export interface RetentionPolicy extends Readonly<Partial<Record<CountRule, number>>> {
  /**
   * How the rules work together. `borg` (default): each rule keeps so many beside what finer rules keep. `restic`: each rule
   * counts for itself, and an archive may serve several. `proxmox`: as `borg`, and a period that has a kept archive is passed over.
   */
  readonly algorithm?: RetentionAlgorithm;
  /** Keep everything that is younger than this: `2w`, and so on with y, m, w, d, H, M, S. */
  readonly within?: string;
}

/** 7 daily, 8 weekly and 4 monthly archives: 19 in all, of almost four months. What the documentation proposes. */
export const DEFAULT_POLICY: RetentionPolicy = { daily: 7, weekly: 8, monthly: 4 };

/** Rules that the other programs do not have. */
const MISSING: Readonly<Record<RetentionAlgorithm, readonly (CountRule | 'within')[]>> = {
  borg: [],
  restic: ['secondly', 'minutely', '13weekly', '3monthly'],
  proxmox: ['within', 'secondly', 'minutely', '13weekly', '3monthly'],
};

/** Two names for one rule, or two ways to count quarters. */
const EXCLUSIVE: readonly (readonly [CountRule, CountRule])[] = [
  ['last', 'secondly'],
  ['13weekly', '3monthly'],
];

/** Rejects with `USAGE` when the policy keeps nothing, or its rules do not go together. */
export function assertPolicy(policy: RetentionPolicy): void {
  const { algorithm = 'borg', within } = policy;
  if (!ALGORITHMS.includes(algorithm)) {
    throw usage(`there is no retention algorithm ${JSON.stringify(algorithm)}`, `Choose ${ALGORITHMS.join(', ')}.`);
  }
  for (const rule of COUNT_RULES) {
    const count = policy[rule];
    if (count !== undefined && !(Number.isSafeInteger(count) && count >= KEEP_ALL)) {
      throw usage(`not a number of archives to keep: ${rule} ${count}`, `Give a whole number; ${KEEP_ALL} keeps all.`);
    }
  }
  if (within !== undefined) parseInterval(within);
  const rules = activeRules(policy);
  if (rules.length === 0) {
    throw usage(
      'the policy has no rule: it would keep nothing',
      'Say what to keep: `--keep-daily 7 --keep-weekly 8 --keep-monthly 4`, for instance.',
    );
  }
  const missing = rules.find((rule) => MISSING[algorithm].includes(rule));
  if (missing !== undefined) {
    throw usage(`the algorithm ${algorithm} has no rule ${missing}`, 'Leave it out, or use the algorithm borg.');
  }
  for (const [one, other] of EXCLUSIVE) {
    if (rules.includes(one) && rules.includes(other)) {
      throw usage(`the rules ${one} and ${other} do not go together`, 'Leave one of them out.');
    }
  }
}

/** The rules that keep something, in the order in which they apply. */
export function activeRules(policy: RetentionPolicy): (CountRule | 'within')[] {
  const counting = COUNT_RULES.filter((rule) => (policy[rule] ?? 0) !== 0);
  return policy.within === undefined ? counting : ['within', ...counting];
}

/** `7 daily, 8 weekly, 4 monthly`. */
export function describePolicy(policy: RetentionPolicy): string {
  return activeRules(policy)
    .map((rule) => {
      if (rule === 'within') return `within ${policy.within}`;
      return policy[rule] === KEEP_ALL ? `all ${rule}` : `${policy[rule]} ${rule}`;
    })
    .join(', ');
}

function usage(what: string, hint: string): CairnError {
  return new CairnError('USAGE', what, { hint });
}
