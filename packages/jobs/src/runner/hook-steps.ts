import type { HookDefinition, MainStep } from '../job-file/hook-schema.ts';
import { scrubber } from '../dumps/scrub.ts';
import { runHook } from '../hooks/run-hook.ts';
import type { JobRun } from './job-run.ts';
import { verdict } from './outcome.ts';

/** A hook, and what it is called in records. */
export interface NamedHook extends HookDefinition {
  readonly name: string;
}

/** The hooks of a job with their names: those that have none are called by when they run and their number. */
export function namedHooks(hooks: readonly HookDefinition[]): NamedHook[] {
  const counts = new Map<string, number>();
  return hooks.map((hook) => {
    const kind = hook.step === undefined ? hook.when : `${hook.when}-${hook.step}`;
    const number = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, number);
    return { ...hook, name: hook.name ?? `${kind}-${number}` };
  });
}

/** Runs the hooks of a job that stand beside a step, or beside the whole job. */
export class HookSteps {
  private readonly run: JobRun;
  private readonly hooks: readonly NamedHook[];
  /** Records are read by more people than the programs of a job are. */
  private readonly scrub = scrubber();

  constructor(run: JobRun) {
    this.run = run;
    this.hooks = namedHooks(run.job.hooks ?? []);
  }

  /** Those before: until one fails and the policy is to stop, or the signal fires. */
  async before(step: MainStep | undefined, signal: AbortSignal): Promise<void> {
    for (const hook of this.of('before', step)) {
      if (signal.aborted || this.run.isStopped) return;
      await this.runOne(hook, signal);
    }
  }

  /** Those after what began, in spite of any failure; nothing but their own time limit ends them. */
  async after(step: MainStep | undefined): Promise<void> {
    for (const hook of this.of('after', step)) await this.runOne(hook, undefined);
    await this.always(step);
  }

  /** Those that run whatever became of what they stand beside. */
  async always(step: MainStep | undefined): Promise<void> {
    for (const hook of this.of('always', step)) await this.runOne(hook, undefined);
  }

  private of(when: HookDefinition['when'], step: MainStep | undefined): readonly NamedHook[] {
    return this.hooks.filter((hook) => hook.when === when && hook.step === step);
  }

  private async runOne(hook: NamedHook, signal: AbortSignal | undefined): Promise<void> {
    const { run } = this;
    const name = `hook:${hook.name}`;
    const startMs = run.surroundings.environment.clock.monotonicMs();
    run.log.stepStarted(name);
    try {
      await runHook(hook, {
        env: this.variables(hook),
        onLine: (line) => run.log.info(this.scrub(line), name),
        ...(signal === undefined ? {} : { signal }),
      });
      run.ended(name, startMs, undefined, {});
    } catch (error) {
      run.ended(name, startMs, error, {});
    }
  }

  private variables(hook: NamedHook): Record<string, string> {
    const { job, id, steps, log, archive, surroundings } = this.run;
    const own: Record<string, string> = {
      CAIRN_JOB: job.name,
      CAIRN_RUN: id,
      CAIRN_HOOK: hook.name,
      CAIRN_STEP: hook.step ?? '',
      CAIRN_STATUS: verdict(steps, log.warnings, false).status,
      CAIRN_ARCHIVE: archive ?? '',
    };
    const inherited = Object.entries(surroundings.variables).filter(
      (pair): pair is [string, string] => pair[1] !== undefined,
    );
    return { ...Object.fromEntries(inherited), ...own };
  }
}
