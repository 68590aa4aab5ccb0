import { CairnError, knownError, type Repository } from '@cairn/core';

import { MAIN_STEPS, type MainStep } from '../job-file/hook-schema.ts';
import type { JobFile } from '../job-file/read-job.ts';
import { backUp } from './backup-step.ts';
import { DumpSteps } from './dump-steps.ts';
import { HookSteps } from './hook-steps.ts';
import type { JobRun, StepResult } from './job-run.ts';
import { check, compact, prune } from './maintenance-steps.ts';
import { lookForSpace, reachRepository } from './opening-steps.ts';
import { endReason } from './time-limits.ts';

/** The long steps that a job has, in their order. */
export function mainStepsOf(job: Pick<JobFile, 'backup' | 'dumps' | 'prune' | 'compact' | 'check'>): MainStep[] {
  return MAIN_STEPS.filter((step) => job[step] !== undefined || (step === 'backup' && job.dumps !== undefined));
}

/** Runs the steps of a job in their order. Failures are in the outcome; never rejects. */
export class MainSteps {
  private readonly run: JobRun;
  private readonly hooks: HookSteps;
  private readonly signal: AbortSignal;
  private hasSpace = true;

  constructor(run: JobRun, signal: AbortSignal) {
    this.run = run;
    this.hooks = new HookSteps(run);
    this.signal = signal;
  }

  /**
   * Hooks before, then what must be there, the given steps, and hooks after. What comes after a signal or, with the policy `stop`,
   * after a failure is left out, but for hooks after what began.
   */
  async all(steps: readonly MainStep[]): Promise<void> {
    const { run, hooks, signal } = this;
    try {
      await hooks.before(undefined, signal);
      if (!this.isOver) await run.step('reachable', signal, (inner) => reachRepository(run, inner));
      // Prune and compact need no room, and make some.
      if (!this.isOver && run.repository !== undefined && steps.includes('backup')) {
        this.hasSpace = await run.step('space', signal, () => lookForSpace(run));
      }
      for (const step of steps) await this.one(step);
    } finally {
      await hooks.after(undefined);
    }
  }

  private get isOver(): boolean {
    return this.signal.aborted || this.run.isStopped;
  }

  private async one(step: MainStep): Promise<void> {
    const { run, hooks, signal } = this;
    const { repository } = run;
    const reason = this.reasonToLeaveOut(step);
    if (repository === undefined || reason !== undefined) {
      run.log.info(`${step} is left out: ${reason ?? 'the repository is not open'}`);
      await hooks.always(step);
      return;
    }
    await hooks.before(step, signal);
    if (!this.isOver) await this.work(step, repository);
    await hooks.after(step);
  }

  private reasonToLeaveOut(step: MainStep): string | undefined {
    if (this.signal.aborted) return 'the run was ended';
    if (this.run.isStopped) return 'a step failed before';
    if (step === 'backup' && !this.hasSpace) return 'there is too little space';
    return this.run.repository === undefined ? 'the repository could not be opened' : undefined;
  }

  private async work(step: MainStep, repository: Repository): Promise<void> {
    const { run, signal } = this;
    if (step === 'backup') {
      await this.backUpWithDumps(repository);
      return;
    }
    const work = (inner: AbortSignal): Promise<StepResult> => {
      if (step === 'prune') return prune(run, repository);
      return step === 'compact' ? compact(run, repository, inner) : check(run, repository, inner);
    };
    await run.step(step, signal, work, run.job[step]);
  }

  private async backUpWithDumps(repository: Repository): Promise<void> {
    const { run, signal } = this;
    const dumps = new DumpSteps(run);
    await dumps.prepare(signal);
    if (this.isOver) {
      dumps.end(signal.aborted ? endReason(signal) : new CairnError('CANCELLED', 'a step failed before'));
      return;
    }
    if (run.job.backup === undefined && dumps.contents.length === 0) return;
    let failure: CairnError | undefined;
    await run.step(
      'backup',
      signal,
      async (inner) => {
        try {
          failure = undefined;
          dumps.beginAgain();
          return await backUp(run, repository, dumps.contents, (problem) => dumps.fail(problem), inner);
        } catch (error) {
          failure = inner.aborted ? endReason(inner) : knownError(error);
          throw error;
        }
      },
      run.job.backup,
    );
    dumps.end(failure);
  }
}
