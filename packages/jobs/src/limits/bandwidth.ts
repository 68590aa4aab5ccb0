import type { Clock } from '@cairn/core';

import type { BandwidthDefinition } from '../job-file/limits-schema.ts';

/** Bytes a second for each direction, as they are now; undefined: no limit. */
export interface Bandwidth {
  upload(): number | undefined;
  download(): number | undefined;
}

const MINUTE_MS = 60_000;

/** The bandwidth of a job by the hour of its time zone; undefined when it has no limit at any hour. */
export function bandwidthByHour(
  rules: readonly BandwidthDefinition[] | undefined,
  timeZone: string,
  clock: Clock,
): Bandwidth | undefined {
  if (rules === undefined || rules.length === 0) return undefined;
  const hours = new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' });
  let found: { readonly minute: number; readonly rule: BandwidthDefinition | undefined } | undefined;
  const current = (): BandwidthDefinition | undefined => {
    const minute = Math.floor(Number(clock.nowNs() / 1_000_000n) / MINUTE_MS);
    // Asked for every few kilobytes; looked at once a minute.
    if (found?.minute !== minute) {
      const rule = rules.find((one) => isWithin(one.hours, hours.format(minute * MINUTE_MS)));
      found = { minute, rule };
    }
    return found.rule;
  };
  return { upload: () => current()?.upload, download: () => current()?.download };
}

/** True when a time of the day, `07:30`, is in the hours, `22:00-06:00`: from the first on, before the second. */
export function isWithin(hours: string, time: string): boolean {
  const [from = '', to = ''] = hours.split('-');
  if (from === to) return true;
  return from < to ? from <= time && time < to : from <= time || time < to;
}
