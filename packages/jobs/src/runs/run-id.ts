import type { Environment } from '@cairn/core';

/** Names of jobs, which are names of files and of systemd units too. */
export const JOB_NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

const RUN_ID = /^[0-9A-Za-z][0-9A-Za-z-]{7,63}$/;
const RANDOM_BYTES = 4;

/** True for what can be the id of a run. Nothing else is ever made a path of. */
export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}

/** An id that nobody has: `20261121-171048123-9f86d081`. Ids sort by the time at which they were made. */
export function newRunId({ clock, random }: Environment): string {
  const digits = timeText(clock.nowNs()).replace(/[-:.Z]/g, '');
  return `${digits.slice(0, 8)}-${digits.slice(9)}-${Buffer.from(random.bytes(RANDOM_BYTES)).toString('hex')}`;
}

/** Nanoseconds since 1970 as RFC 3339 in UTC, with milliseconds. */
export function timeText(ns: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString();
}
