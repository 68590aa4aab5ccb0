import { parseAddress } from '@cairn/core';

import { bandwidthByHour } from '../limits/bandwidth.ts';
import { assertFreeSpace, MINIMUM_FREE } from '../limits/free-space.ts';
import { silentHosts } from '../limits/reachable-hosts.ts';
import type { JobRun } from './job-run.ts';
import { openUnattended } from './unattended-repository.ts';

/** Opens the repository: the store answers, a key is at hand, the log is whole. Other hosts that are silent are warned of. */
export async function reachRepository(run: JobRun): Promise<void> {
  const { job, log, limits, surroundings } = run;
  const { environment, variables, directories } = surroundings;
  const hosts = silentHosts(limits['reachable-hosts'] ?? []);
  const bandwidth = bandwidthByHour(limits.bandwidth, timeZoneOf(run), environment.clock);
  run.repository = await openUnattended(job.repository, {
    directories,
    environment,
    variables,
    onWarning: (text) => log.warn(text),
    store: {
      onRetry: ({ error }) => log.info(`${error.message}; trying again`),
      ...(bandwidth === undefined ? {} : { uploadBytesPerS: bandwidth.upload, downloadBytesPerS: bandwidth.download }),
    },
  });
  for (const host of await hosts) log.warn(`${host} does not answer`);
}

/** Looks whether there is room. Rejects with `STORE_FULL`. */
export async function lookForSpace(run: JobRun): Promise<void> {
  const { job, limits, surroundings } = run;
  const address = parseAddress(job.repository.address);
  const { state, cache } = surroundings.directories;
  const places = [
    ...(address.kind === 'directory' ? [{ path: address.path, what: 'the repository' }] : []),
    { path: state, what: 'the state of jobs' },
    { path: cache, what: 'the cache' },
  ];
  await assertFreeSpace(places, limits['minimum-free'] ?? MINIMUM_FREE);
}

/** Where the job's days begin. */
export function timeZoneOf({ job }: Pick<JobRun, 'job'>): string {
  return job.schedule?.['time-zone'] ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}
