import { knownError, type Environment, type Timer } from '@cairn/core';

import type { ListedJob } from '../job-file/jobs-directory.ts';
import type { JobFile } from '../job-file/read-job.ts';
import { sourcesOf } from '../runner/backup-step.ts';
import { tellMissed } from '../runner/missed-alert.ts';
import type { JobDirectories } from '../runner/unattended-repository.ts';
import { lastJobRun } from '../runs/last-run.ts';
import { timeText } from '../runs/run-id.ts';
import type { RunStore } from '../runs/run-store.ts';
import { ScheduledJob, versionOf } from './scheduled-job.ts';
import type { TurnQueue } from './turn-queue.ts';
import { countsAsChange } from './watched-changes.ts';

export interface DaemonOptions {
  readonly environment: Environment;
  readonly timer: Timer;
  readonly runs: RunStore;
  /** The jobs as they are now; asked again and again. */
  readonly listJobs: () => Promise<readonly ListedJob[]>;
  readonly queue: TurnQueue;
  readonly log: (text: string) => void;
  /** Ends the daemon, after the run that is under way was ended. */
  readonly signal: AbortSignal;
  /** Name of this host, for alerts. */
  readonly host: string;
  /** Where runs write: that is no change of a source. */
  readonly directories: Pick<JobDirectories, 'state' | 'cache'>;
}

/** Milliseconds between two looks at the clock and the jobs directory: the clock may be set, and files change. */
const LOOK_MS = 30_000;

/**
 * Runs jobs when they are due, one after the other, until the signal fires. Rejects when the jobs cannot be listed at its start; later on
 * it tells so, and looks again.
 */
export class Daemon {
  private readonly options: DaemonOptions;
  private readonly jobs = new Map<string, ScheduledJob>();
  private readonly told = new Map<string, string>();
  private wake = new AbortController();
  /** Why the last look failed. */
  private failure: string | undefined;

  constructor(options: DaemonOptions) {
    this.options = options;
  }

  async run(): Promise<void> {
    const { signal, timer, queue } = this.options;
    let draining = Promise.resolve<unknown>(undefined);
    try {
      let isFirst = true;
      while (!signal.aborted) {
        const waitMs = await (isFirst ? this.look() : this.lookAgain());
        isFirst = false;
        draining = queue.drain(signal);
        await timer.wait(waitMs, AbortSignal.any([signal, this.wake.signal]));
        this.wake = new AbortController();
      }
    } finally {
      for (const job of this.jobs.values()) job.close();
      await draining;
    }
  }

  /** As `look`; a disk that has a bad moment must not end what runs for years. */
  private async lookAgain(): Promise<number> {
    try {
      const waitMs = await this.look();
      this.failure = undefined;
      return waitMs;
    } catch (error) {
      const { message } = knownError(error);
      if (message !== this.failure) this.options.log(`the jobs cannot be looked at now: ${message}`);
      this.failure = message;
      return LOOK_MS;
    }
  }

  /** Lets all jobs that are due wait for their turn. Gives how long nothing can become due. */
  private async look(): Promise<number> {
    const { environment, listJobs, queue, log } = this.options;
    const listed = await listJobs();
    await this.takeUp(listed);
    const nowMs = Number(environment.clock.nowNs() / 1_000_000n);
    const monotonicMs = environment.clock.monotonicMs();
    let waitMs = LOOK_MS;
    for (const [name, job] of this.jobs) {
      job.watchAgain();
      // What runs now sees to the times that pass meanwhile: they are looked at when it has ended.
      if (!queue.has(name)) {
        const due = job.takeDue(nowMs);
        if (due?.kind === 'due') {
          if (due.missed > 0) log(`${name}: ${due.missed} scheduled runs were missed; running now`);
          queue.add(name, 'schedule');
        } else if (due?.kind === 'missed') {
          log(`${name}: ${due.missed} scheduled runs were missed`);
          const file = listed.find((one) => one.name === name)?.job;
          if (file !== undefined) await this.tellMissed(file, due.atMs);
        } else if (due?.nextMs !== undefined) waitMs = Math.min(waitMs, due.nextMs - nowMs);
        if (job.takeChange(monotonicMs)) queue.add(name, 'change');
      }
      if (job.changeDueMs !== undefined) waitMs = Math.min(waitMs, job.changeDueMs - monotonicMs);
    }
    return Math.max(1, waitMs);
  }

  private async tellMissed(job: JobFile, atMs: number): Promise<void> {
    const { host, log } = this.options;
    const failures = await tellMissed(job, { host, dueAt: timeText(BigInt(atMs) * 1_000_000n) }, this.options);
    for (const failure of failures) log(`${job.name}: it could not be told that a run was missed by ${failure}`);
  }

  /** Takes up jobs that are new or changed, and lets go of those that are gone. */
  private async takeUp(listed: readonly ListedJob[]): Promise<void> {
    for (const [name, job] of this.jobs) {
      const now = listed.find((one) => one.name === name)?.job;
      if (now !== undefined && versionOf(now) === job.version) continue;
      job.close();
      this.jobs.delete(name);
    }
    for (const { name, job, error } of listed) {
      if (error !== undefined && this.told.get(name) !== error.message) this.options.log(error.message);
      if (error === undefined) this.told.delete(name);
      else this.told.set(name, error.message);
      if (job?.schedule === undefined || this.jobs.has(name)) continue;
      const { directories, environment } = this.options;
      const { clock } = environment;
      const scheduled = new ScheduledJob(job, await this.handledMs(name), {
        sources: sourcesOf(job),
        monotonicMs: () => clock.monotonicMs(),
        counts: (paths) => countsAsChange(job, directories, paths),
        onChange: () => this.wake.abort(),
        onFailure: (text) => this.options.log(`${name}: ${text}`),
      });
      this.jobs.set(name, scheduled);
    }
  }

  /** When the last run of a job began; now for one that never ran, and for one of which that cannot be told. */
  private async handledMs(name: string): Promise<number> {
    const { runs, environment, log } = this.options;
    try {
      const last = await lastJobRun(runs, name);
      if (last !== undefined) return Date.parse(last.startedAt);
    } catch (error) {
      log(`${name}: its last run cannot be read: ${knownError(error).message}`);
    }
    return Number(environment.clock.nowNs() / 1_000_000n);
  }
}
