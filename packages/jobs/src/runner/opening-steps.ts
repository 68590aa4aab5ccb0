import { parseAddress, type Repository } from '@cairn/core';

import { bandwidthByHour } from '../limits/bandwidth.ts';
import { assertFreeSpace, MINIMUM_FREE } from '../limits/free-space.ts';
import { silentHosts } from '../limits/reachable-hosts.ts';
import type { JobRun } from './job-run.ts';
import { endReason } from './time-limits.ts';
import { openUnattended } from './unattended-repository.ts';

/**
 * Opens the repository: the store answers, a key is at hand, the log is whole. Other hosts that are silent are warned of. Rejects as
 * `openUnattended` does, and with the reason of the signal as soon as that fires.
 */
export async function reachRepository(run: JobRun, signal: AbortSignal): Promise<void> {
  const { job, log, limits, surroundings } = run;
  const { environment, variables, directories, openStore } = surroundings;
  const hosts = silentHosts(limits['reachable-hosts'] ?? []);
  const bandwidth = bandwidthByHour(limits.bandwidth, timeZoneOf(run), environment.clock);
  const opening = openUnattended(job.repository, {
    directories,
    environment,
    variables,
    onWarning: (text) => log.warn(text),
    ...(openStore === undefined ? {} : { openStore }),
    store: {
      onRetry: ({ error }) => log.info(`${error.message}; trying again`),
      ...(bandwidth === undefined ? {} : { uploadBytesPerS: bandwidth.upload, downloadBytesPerS: bandwidth.download }),
    },
  });
  run.repository = await openedBefore(signal, opening);
  for (const host of await hosts) log.warn(`${host} does not answer`);
}

/** A store that does not answer is tried for minutes; who ends the run does not wait for that. */
async function openedBefore(signal: AbortSignal, opening: Promise<Repository>): Promise<Repository> {
  let onAbort = (): void => undefined;
  const ended = new Promise<never>((_, reject) => (onAbort = (): void => reject(endReason(signal))));
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([opening, ended]);
  } catch (error) {
    // Whether it opens after that, or fails, is nothing to anybody any more.
    if (signal.aborted) void opening.then((repository) => repository.close()).catch(() => undefined);
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
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
