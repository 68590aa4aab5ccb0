import { knownError, type Environment, type openStore, type Repository, type Timer } from '@cairn/core';

import type { JobFile } from '../job-file/read-job.ts';
import type { LimitsDefinition } from '../job-file/limits-schema.ts';
import type { Figures } from '../runs/run-events.ts';
import { stepStatus, type StepOutcome } from './outcome.ts';
import { Retries } from './retries.ts';
import type { RunLog } from './run-log.ts';
import { endReason, withinTime, type TimeLimits } from './time-limits.ts';
import type { JobDirectories } from './unattended-repository.ts';

/** What a run is given by whoever starts it. */
export interface RunSurroundings {
  readonly environment: Environment;
  readonly timer: Timer;
  /** The environment of the process, for programs that are started and for stores. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly directories: JobDirectories;
  /** Name of this host, and of the account that runs this. */
  readonly host: string;
  readonly user: string;
  /** Shown in archives as the program that made them. */
  readonly program: string;
  /** Opens the store of the job. Default: that of core, for all addresses. */
  readonly openStore?: typeof openStore;
}

/** What a step found out. */
export interface StepResult {
  readonly figures?: Figures;
  /** One sentence for the record. */
  readonly text?: string;
}

/** The state of one run: what its steps share, and how they ended. */
export class JobRun {
  readonly job: JobFile;
  readonly id: string;
  readonly surroundings: RunSurroundings;
  readonly log: RunLog;
  readonly limits: LimitsDefinition;
  readonly steps: StepOutcome[] = [];
  readonly figures: Record<string, number> = {};
  archive: string | undefined;
  /** Undefined until the step `reachable` has opened it. */
  repository: Repository | undefined;
  private readonly retries: Retries;

  constructor(job: JobFile, id: string, surroundings: RunSurroundings, log: RunLog) {
    this.job = job;
    this.id = id;
    this.surroundings = surroundings;
    this.log = log;
    this.limits = job.limits ?? {};
    this.retries = new Retries(this.limits, surroundings.environment, surroundings.timer);
  }

  /** True when what comes after a failure is to be left out. */
  get isStopped(): boolean {
    return this.job.policy === 'stop' && this.hasFailed;
  }

  get hasFailed(): boolean {
    return this.steps.some(({ status }) => status !== 0);
  }

  /**
   * Does one step: within its time limits, again when that may help, and with its end in the record. Never rejects: a step that fails is an
   * outcome. Gives true when it succeeded.
   */
  async step(
    name: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<StepResult | void>,
    limits?: TimeLimits,
  ): Promise<boolean> {
    const { log } = this;
    const { clock } = this.surroundings.environment;
    const startMs = clock.monotonicMs();
    log.stepStarted(name);
    try {
      const attempt = (inner: AbortSignal): Promise<StepResult | void> =>
        this.retries.run(
          () => work(inner),
          inner,
          (text) => log.warn(text, name),
        );
      const result = (await withinTime(name, limits, signal, (text) => log.warn(text, name), attempt)) ?? {};
      this.ended(name, startMs, undefined, result);
      return true;
    } catch (error) {
      this.ended(name, startMs, signal.aborted ? endReason(signal) : error, {});
      return false;
    }
  }

  /** Puts the end of a step into the record, and into the outcome of the run. */
  ended(name: string, startMs: number, failure: unknown, result: StepResult): void {
    const error = failure === undefined ? undefined : knownError(failure);
    const seconds = Math.round(this.surroundings.environment.clock.monotonicMs() - startMs) / 1000;
    const status = stepStatus(error);
    if (error?.hint !== undefined) this.log.error(`${error.message}. ${error.hint}`, name);
    this.log.stepEnded(name, status, seconds, { ...result, error });
    this.steps.push({ step: name, status, seconds, error });
    for (const [figure, value] of Object.entries(result.figures ?? {})) this.figures[figure] = value;
  }
}
