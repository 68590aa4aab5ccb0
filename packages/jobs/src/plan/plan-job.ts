import {
  displayName,
  explainPaths,
  isCairnError,
  reasonText,
  type CairnError,
  type Explanation,
  type PrunePlan,
  type Repository,
} from '@cairn/core';

import type { MainStep } from '../job-file/hook-schema.ts';
import type { JobFile } from '../job-file/read-job.ts';
import { dumpName } from '../dumps/dump-schema.ts';
import { backupRequest } from '../runner/backup-step.ts';
import { namedHooks } from '../runner/hook-steps.ts';
import { mainStepsOf } from '../runner/main-steps.ts';
import { hasArchives, pruneOptions } from '../runner/maintenance-steps.ts';
import { openUnattended, type UnattendedOptions } from '../runner/unattended-repository.ts';

export interface PlanJobOptions extends UnattendedOptions {
  readonly host: string;
  readonly user: string;
  readonly program: string;
  readonly signal: AbortSignal;
  /** Paths of which it is told whether they are backed up, and why not. */
  readonly paths: readonly string[];
  /** Where the job's days begin. */
  readonly timeZone: string;
  /** False: the repository is not asked, and nothing is counted. */
  readonly looks: boolean;
}

/** What is left out on the way, with the rule that says so. */
export interface LeftOut {
  /** For people. */
  readonly path: string;
  readonly reason: string;
}

/** What a run of a job would do now. Nothing was changed to find out. */
export interface JobPlan {
  readonly job: string;
  readonly steps: readonly MainStep[];
  readonly hooks: readonly { readonly name: string; readonly when: string; readonly step: string | undefined }[];
  readonly dumps: readonly string[];
  readonly sources: readonly string[];
  readonly explanations: readonly Explanation[];
  /** What a backup would find, and the first thousand things that it would leave out; undefined when nothing was looked at. */
  readonly backup:
    | {
        readonly files: number;
        readonly bytes: number;
        readonly excluded: number;
        readonly leftOut: readonly LeftOut[];
        readonly problems: readonly string[];
      }
    | undefined;
  /** Archives that a prune would remove and keep, with reasons. */
  readonly prune: readonly { readonly archive: string; readonly reasons: readonly string[] }[] | undefined;
  /** Why something above could not be found out. */
  readonly failures: readonly CairnError[];
}

const MOST_LEFT_OUT = 1_000;

/** Finds out what a run would do. What cannot be found out is told in `failures`; rejects only for a job that cannot be. */
export async function planJob(job: JobFile, options: PlanJobOptions): Promise<JobPlan> {
  const request = await backupRequest(job, options.directories, options);
  const failures: CairnError[] = [];
  const keeping = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!isCairnError(error) || error.code === 'INTERNAL') throw error;
      failures.push(error);
      return undefined;
    }
  };
  const steps = mainStepsOf(job);
  const repository = options.looks ? await keeping(() => openUnattended(job.repository, options)) : undefined;
  try {
    const explanations =
      options.paths.length === 0 ? [] : await (repository ?? { explain: explainPaths }).explain(request, options.paths);
    const looked = repository !== undefined && steps.includes('backup') && request.paths.length > 0;
    return {
      job: job.name,
      steps,
      hooks: namedHooks(job.hooks ?? []).map(({ name, when, step }) => ({ name, when, step })),
      dumps: (job.dumps ?? []).map(dumpName),
      sources: request.paths.map(String),
      explanations,
      backup: looked ? await keeping(() => lookedAt(repository, request, options.signal)) : undefined,
      prune:
        repository === undefined || job.prune === undefined || !hasArchives(job, repository, options.host)
          ? undefined
          : await keeping(async () =>
              verdictsOf(await repository.planPrune(pruneOptions(job, options.timeZone, options.host))),
            ),
      failures,
    };
  } finally {
    await repository?.close();
  }
}

async function lookedAt(
  repository: Repository,
  request: Awaited<ReturnType<typeof backupRequest>>,
  signal: AbortSignal,
): Promise<NonNullable<JobPlan['backup']>> {
  const leftOut: LeftOut[] = [];
  const report = await repository.backup(
    { ...request, dryRun: true },
    {
      signal,
      onExcluded: ({ path, decision: { reason } }) => {
        if (leftOut.length < MOST_LEFT_OUT) leftOut.push({ path: displayName(path), reason: reason.text });
      },
    },
  );
  const { files, bytes, excluded } = report.progress;
  return { files, bytes, excluded, leftOut, problems: report.problems.map(({ message }) => message) };
}

function verdictsOf(plan: PrunePlan): NonNullable<JobPlan['prune']> {
  return plan.series.flatMap(({ verdicts }) =>
    verdicts.map(({ archive, reasons }) => ({ archive: archive.name, reasons: reasons.map(reasonText) })),
  );
}
