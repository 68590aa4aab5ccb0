import { KEEP_ALL, type CountRule } from './policy.ts';

/** Why an archive is kept. */
export interface KeepReason {
  /**
   * A rule of the policy; `protected`; `incomplete`: newer than any complete archive of its series, so that nothing better is
   * there; `unknown-time`: the store did not say when it received the archive.
   */
  readonly rule: CountRule | 'within' | 'protected' | 'incomplete' | 'unknown-time';
  /** Which one it is among those that the rule keeps, from 1, the newest first. */
  readonly number?: number;
  /** How many the rule may keep; absent when all. */
  readonly of?: number;
  /** The interval of `within`. */
  readonly interval?: string;
  /** The rule found too few periods, and keeps the oldest archive in place of another. */
  readonly oldest?: true;
}

/** The reason of a rule that counts. */
export function countedReason(rule: CountRule, number: number, most: number, oldest = false): KeepReason {
  return { rule, number, ...(most === KEEP_ALL ? {} : { of: most }), ...(oldest ? { oldest } : {}) };
}

/** `daily 3/7`, `monthly[oldest] 2/4`, `within 2w`, `protected`. */
export function reasonText({ rule, number, of, interval, oldest }: KeepReason): string {
  const name = oldest === true ? `${rule}[oldest]` : rule;
  if (interval !== undefined) return `${name} ${interval}`;
  if (number === undefined) return name;
  return of === undefined ? `${name} ${number}` : `${name} ${number}/${of}`;
}
