import {
  CairnError,
  RUNS,
  systemEnvironment,
  systemErrorCode,
  systemTimer,
  type Environment,
  type Timer,
} from '@cairn/core';
import { mkdirSync } from 'node:fs';
import { access, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { claimHolder, claimJob, type ClaimHolder } from './claim.ts';
import { followEvents, type FollowedEvent } from './follow-events.ts';
import type { RunEvent, RunKind, RunTrigger } from './run-events.ts';
import { isRunId, JOB_NAME, newRunId } from './run-id.ts';
import { readRunEnds, type RunRecord } from './run-record.ts';
import { RunWriter } from './run-writer.ts';

export interface RunStoreOptions {
  readonly environment?: Environment;
  readonly timer?: Timer;
}

export interface CreateRunOptions {
  /** An id that the caller made with `newRunId`, to follow the run from its beginning. Default: a new one. */
  readonly id?: string | undefined;
  /** Hears of each event as it is written. */
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
}

export interface RunFilter {
  readonly job?: string;
  /** Default: all. */
  readonly limit?: number;
  /** Only runs older than the one with this id. */
  readonly before?: string;
}

/** The record of all runs: a directory for each job, in it one for each run, in that `events.jsonl`. For its owner only. */
export class RunStore {
  /** Absolute. */
  readonly directory: string;
  private readonly environment: Environment;
  private readonly timer: Timer;

  /** @param directory `runs` in the state directory; made with mode 0700 when it is needed. */
  constructor(directory: string, { environment = systemEnvironment, timer = systemTimer }: RunStoreOptions = {}) {
    this.directory = directory;
    this.environment = environment;
    this.timer = timer;
  }

  /**
   * Begins a run and claims its job. Rejects with `JOB_BUSY` when a run of the job is under way, with `USAGE` for a name or id that
   * cannot be, and with `TARGET_FAILED` when no record can be made.
   */
  async create(job: string, kind: RunKind, trigger: RunTrigger, options: CreateRunOptions = {}): Promise<RunWriter> {
    const { id = newRunId(this.environment), onEvent } = options;
    if (!JOB_NAME.test(job) || !isRunId(id)) {
      throw new CairnError('USAGE', `${JSON.stringify(JOB_NAME.test(job) ? id : job)} cannot name a job or a run`, {
        hint: 'Names of jobs are small letters, digits and hyphens, 63 at most.',
      });
    }
    const { environment } = this;
    const claim = await claimJob(this.directory, job, id);
    try {
      await this.forgetOldest(job);
      const folder = join(this.directory, job, id);
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const started = { run: id, job, kind, trigger, pid: process.pid };
      return new RunWriter(join(folder, 'events.jsonl'), started, { environment, claim, onEvent });
    } catch (cause) {
      await claim.release();
      const reason = systemErrorCode(cause) ?? String(cause);
      throw new CairnError('TARGET_FAILED', `cannot make a record of the run in ${this.directory}: ${reason}`, {
        hint: 'Check the directory, its permissions and free space, or name another with CAIRN_STATE_DIRECTORY.',
        cause,
      });
    }
  }

  /** Runs, newest first. Reads the ends of the records that it gives, and no others. */
  async list({ job, limit = Infinity, before }: RunFilter = {}): Promise<RunRecord[]> {
    const jobs = job === undefined ? await this.jobs() : [job];
    const found: { readonly job: string; readonly id: string }[] = [];
    for (const name of jobs) for (const id of await this.idsOf(name)) found.push({ job: name, id });
    const wanted = found
      .filter(({ id }) => before === undefined || id < before)
      .sort((a, b) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
    const holders = new Map<string, Promise<ClaimHolder | undefined>>();
    const records: RunRecord[] = [];
    for (const { job: name, id } of wanted) {
      if (records.length >= limit) break;
      const record = await this.read(name, id, holders);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** One run. Rejects with `NOT_FOUND`. */
  async get(id: string): Promise<RunRecord> {
    const job = await this.jobOf(id);
    const record = job === undefined ? undefined : await this.read(job, id, new Map());
    if (record === undefined) throw noSuchRun(id);
    return record;
  }

  /** Names of the jobs that have runs. */
  async jobs(): Promise<string[]> {
    return (await namesIn(this.directory)).filter((name) => JOB_NAME.test(name)).toSorted();
  }

  /**
   * The events of a run from a byte offset on, and then each as it is written. Ends after `ended`, when the run turns out to be lost,
   * and when the signal fires. Offsets are those after each event: with the last one that was seen, following goes on.
   * Rejects with `NOT_FOUND`.
   */
  async *follow(id: string, from = 0, signal?: AbortSignal): AsyncGenerator<FollowedEvent> {
    const job = await this.jobOf(id);
    if (job === undefined) throw noSuchRun(id);
    const isAlive = async (): Promise<boolean> => isHeldFor(await claimHolder(this.directory, job), id);
    yield* followEvents(this.pathOf(job, id), { from, signal, isAlive, timer: this.timer });
  }

  /** True while the process of that run lives. */
  async isRunning(job: string, id: string): Promise<boolean> {
    return isHeldFor(await claimHolder(this.directory, job), id);
  }

  private pathOf(job: string, id: string): string {
    return join(this.directory, job, id, 'events.jsonl');
  }

  private async jobOf(id: string): Promise<string | undefined> {
    if (!isRunId(id)) return undefined;
    for (const job of await this.jobs()) {
      try {
        await access(this.pathOf(job, id));
        return job;
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
    }
    return undefined;
  }

  private async idsOf(job: string): Promise<string[]> {
    if (!JOB_NAME.test(job)) return [];
    return (await namesIn(join(this.directory, job))).filter(isRunId);
  }

  private async read(
    job: string,
    id: string,
    holders: Map<string, Promise<ClaimHolder | undefined>>,
  ): Promise<RunRecord | undefined> {
    const ends = await this.endsOf(job, id);
    if (ends === undefined) return undefined;
    const { started, size } = ends;
    let { ended } = ends;
    let isRunning = false;
    if (ended === undefined) {
      const holder = holders.get(job) ?? claimHolder(this.directory, job);
      holders.set(job, holder);
      isRunning = isHeldFor(await holder, id);
      // It may have ended between the two looks.
      if (!isRunning) ended = (await this.endsOf(job, id))?.ended;
    }
    return {
      id,
      job: started.job,
      kind: started.kind,
      trigger: started.trigger,
      pid: started.pid,
      startedAt: started.at,
      status: ended?.status ?? (isRunning ? 'running' : 'lost'),
      endedAt: ended?.at,
      exit: ended?.exit,
      seconds: ended?.seconds,
      figures: ended?.figures ?? {},
      archive: ended?.archive,
      size,
    };
  }

  private async endsOf(job: string, id: string): ReturnType<typeof readRunEnds> {
    try {
      return await readRunEnds(this.pathOf(job, id));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  private async forgetOldest(job: string): Promise<void> {
    const ids = (await this.idsOf(job)).toSorted();
    for (const id of ids.slice(0, Math.max(0, ids.length - RUNS.kept + 1))) {
      await rm(join(this.directory, job, id), { recursive: true, force: true });
    }
  }
}

/** A holder that did not answer in time may be any run: one that has no end is then taken for it. */
function isHeldFor(holder: ClaimHolder | undefined, id: string): boolean {
  return holder !== undefined && (holder.run === undefined || holder.run === id);
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  const code = systemErrorCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function noSuchRun(id: string): CairnError {
  return new CairnError('NOT_FOUND', `there is no run ${JSON.stringify(id)}`, {
    hint: '`cairn job status` shows the last runs; older ones are forgotten in time.',
  });
}
