import { bytesOf, CairnError, knownError, type BackupRequest, type Problem } from '@cairn/core';
import { tmpdir } from 'node:os';

import { dumpDirectory, dumpName } from '../dumps/dump-schema.ts';
import { prepareDump } from '../dumps/prepare-dump.ts';
import type { JobRun } from './job-run.ts';

type Contents = NonNullable<BackupRequest['contents']>;

interface OpenDump {
  readonly step: string;
  readonly startMs: number;
  /** Byte strings. */
  readonly paths: ReadonlySet<string>;
  failure: CairnError | undefined;
}

/** The dumps of a job: prepared one after the other, read by the one backup of the job, and each with an end of its own. */
export class DumpSteps {
  readonly contents: Contents[number][] = [];
  private readonly run: JobRun;
  private readonly open: OpenDump[] = [];
  /** Where those would stand that could not be got ready. */
  private readonly absent = new Set<string>();

  constructor(run: JobRun) {
    this.run = run;
  }

  /** Gets all dumps ready. One that cannot be is a step that failed; the others go on. */
  async prepare(signal: AbortSignal): Promise<void> {
    const { job, log, surroundings } = this.run;
    const { environment, variables } = surroundings;
    for (const dump of job.dumps ?? []) {
      if (signal.aborted || this.run.isStopped) return;
      const step = `dump:${dumpName(dump)}`;
      const startMs = environment.clock.monotonicMs();
      log.stepStarted(step);
      try {
        const onWarning = (text: string): void => log.warn(text, step);
        const context = { environment, variables, signal, temporaryDirectory: tmpdir(), onWarning };
        const { contents } = await prepareDump(dump, context);
        const sources = contents.map(({ source }) => source);
        this.contents.push(...sources.map((source) => ({ ...source, path: bytesOf(source.path) })));
        this.open.push({ step, startMs, paths: new Set(sources.map(({ path }) => path)), failure: undefined });
      } catch (error) {
        this.run.ended(step, startMs, error, {});
        this.lack(dumpDirectory(dump), knownError(error));
      }
    }
  }

  /** Forgets what failed when the backup was tried before: all dumps are read again. */
  beginAgain(): void {
    for (const dump of this.open) dump.failure = undefined;
  }

  /**
   * What is not there counts as a content that fails: an archive without it is not complete, and only complete ones count when a prune
   * decides which to keep.
   */
  private lack(path: string, error: CairnError): void {
    this.absent.add(path);
    this.contents.push({
      path,
      open: () => {
        throw error;
      },
    });
  }

  /** A content of which nothing was stored. */
  fail({ path, message }: Problem): void {
    if (this.absent.has(path)) return;
    const dump = this.open.find(({ paths }) => paths.has(path));
    if (dump === undefined) {
      this.run.log.warn(message);
      return;
    }
    this.run.log.error(message, dump.step);
    dump.failure ??= new CairnError('STEP_FAILED', message);
  }

  /** Ends all dumps. @param failure of the backup as a whole: then nothing of them is in an archive. */
  end(failure: CairnError | undefined): void {
    for (const { step, startMs, failure: own } of this.open) this.run.ended(step, startMs, own ?? failure, {});
  }
}
