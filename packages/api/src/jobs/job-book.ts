import { DEFAULT_POLICY, GRACE_DEFAULT_MS, isCairnError, parseAddress, type Clock } from '@cairn/core';
import { listJobs, pruneOptions, type JobFile, type ListedJob } from '@cairn/jobs';
import { resolve } from 'node:path';

import type { OpenRepositories } from '../repositories/open-repositories.ts';
import { policyKey, type PolicyBook, type SeriesPolicy } from '../retention/series-policy.ts';

/** Milliseconds for which job files are taken as they were read: a page asks for them several times. */
const HOLDS_MS = 2_000;

export interface JobBookOptions {
  readonly directory: string;
  readonly clock: Clock;
  /** Name of this machine: the first part of the series of a job that names none. */
  readonly host: string;
  /** Time zone of this machine, of the IANA database. */
  readonly timeZone: string;
}

/** The job files of this machine as they are now. */
export class JobBook {
  private readonly options: JobBookOptions;
  private read: { readonly atMs: number; readonly jobs: Promise<ListedJob[]> } | undefined;

  constructor(options: JobBookOptions) {
    this.options = options;
  }

  /** By name; one that is wrong has its error. Rejects with `USAGE` when the directory cannot be read. */
  async all(): Promise<readonly ListedJob[]> {
    const { clock, directory } = this.options;
    const nowMs = clock.monotonicMs();
    if (this.read === undefined || nowMs - this.read.atMs > HOLDS_MS) {
      const read = { atMs: nowMs, jobs: listJobs(directory) };
      this.read = read;
      read.jobs.catch(() => {
        if (this.read === read) this.read = undefined;
      });
    }
    return await this.read.jobs;
  }

  /** Jobs that work on the repository at an address. */
  async of(address: string): Promise<readonly JobFile[]> {
    const jobs = (await this.all()).flatMap(({ job }) => (job === undefined ? [] : [job]));
    return jobs.filter(({ repository }) => isSamePlace(repository.address, address));
  }

  /** Name in the panel of the repository that a job works on; undefined when the panel does not have it, or there is no such job. */
  async repositoryOf(
    name: string,
    repositories: Pick<OpenRepositories, 'names' | 'config'>,
  ): Promise<string | undefined> {
    const job = (await this.all()).find((listed) => listed.name === name)?.job;
    if (job === undefined) return undefined;
    return repositories.names().find((one) => isSamePlace(repositories.config(one).address, job.repository.address));
  }

  /** Which policy holds for the series of the repository at an address: that of the job that prunes it, else the default. */
  async policies(address: string): Promise<PolicyBook> {
    const bySeries = new Map<string, SeriesPolicy>();
    let ofAll: SeriesPolicy | undefined;
    for (const job of await this.of(address)) {
      if (job.prune === undefined) continue;
      const { series, policy } = this.policyOf(job);
      if (series === undefined) ofAll ??= policy;
      for (const name of series ?? []) if (!bySeries.has(name)) bySeries.set(name, policy);
    }
    const otherwise: SeriesPolicy = ofAll ?? {
      policy: DEFAULT_POLICY,
      timeZone: this.options.timeZone,
      time: 'received',
      maxShare: undefined,
      job: undefined,
      graceMs: GRACE_DEFAULT_MS,
    };
    return {
      key: JSON.stringify([
        policyKey(otherwise),
        ...[...bySeries].map(([series, policy]) => [series, policyKey(policy)]),
      ]),
      of: (series) => bySeries.get(series) ?? otherwise,
    };
  }

  /** Time zone of this machine. */
  get timeZone(): string {
    return this.options.timeZone;
  }

  /** The grace, milliseconds, with which the repository at an address is compacted. */
  async graceMs(address: string): Promise<number> {
    const compacting = (await this.of(address)).find(({ compact }) => compact !== undefined);
    return compacting?.compact?.grace ?? GRACE_DEFAULT_MS;
  }

  /** Without series the policy is for all that no other job prunes. */
  private policyOf(job: JobFile): { readonly series: readonly string[] | undefined; readonly policy: SeriesPolicy } {
    const { host, timeZone: ownZone } = this.options;
    const zone = job.schedule?.['time-zone'] ?? ownZone;
    const { series, policy, timeZone = zone, time = 'received', maxShare } = pruneOptions(job, zone, host);
    const graceMs = job.compact?.grace ?? GRACE_DEFAULT_MS;
    return { series, policy: { policy, timeZone, time, maxShare, job: job.name, graceMs } };
  }
}

function isSamePlace(one: string, other: string): boolean {
  return placeOf(one) === placeOf(other);
}

/** The place that an address means. One that is none is compared as it is written. */
function placeOf(text: string): string {
  try {
    const address = parseAddress(text);
    return address.kind === 'directory' ? resolve(address.path) : text;
  } catch (error) {
    if (isCairnError(error, 'USAGE')) return text;
    throw error;
  }
}
