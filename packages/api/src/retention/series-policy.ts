import type { RetentionPolicy, RetentionTime } from '@cairn/core';

/** What decides about the archives of a series. */
export interface SeriesPolicy {
  readonly policy: RetentionPolicy;
  /** Where days and weeks begin, of the IANA database. */
  readonly timeZone: string;
  readonly time: RetentionTime;
  /** Most that may be removed of it at once, from 0 to 1; undefined: as `planPrune` has it. */
  readonly maxShare: number | undefined;
  /** The job whose policy it is; undefined: the default, which nothing carries out by itself. */
  readonly job: string | undefined;
  /** Milliseconds between deleting and dropping, and between condemning and removing. */
  readonly graceMs: number;
}

/** Tells which policy is whose. */
export interface PolicyBook {
  /** The same for books that tell the same. */
  readonly key: string;
  of(series: string): SeriesPolicy;
}

/** The same for policies that decide the same. */
export function policyKey({ policy, timeZone, time, maxShare, job, graceMs }: SeriesPolicy): string {
  return JSON.stringify([policy, timeZone, time, maxShare ?? null, job ?? null, graceMs]);
}
