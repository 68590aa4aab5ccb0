import { CairnError, COUNT_RULES, DEFAULT_POLICY, type Repository, type RetentionPolicy } from '@cairn/core';

import type { JobFile } from '../job-file/read-job.ts';
import type { JobDefinition } from '../job-file/schema.ts';
import type { JobRun, StepResult } from './job-run.ts';
import { timeZoneOf } from './opening-steps.ts';

type PruneDefinition = NonNullable<JobDefinition['prune']>;

/** Deletes what the policy of the job does not keep. */
export async function prune(run: JobRun, repository: Repository): Promise<StepResult> {
  if (!hasArchives(run.job, repository, run.surroundings.host)) {
    run.log.info('there is no archive of the series yet');
    return {};
  }
  const plan = await repository.planPrune(pruneOptions(run.job, timeZoneOf(run), run.surroundings.host));
  const { removed, kept } = await repository.prune(plan, { by: whoRuns(run) });
  for (const { name } of removed) run.log.info(`removed ${name}`);
  return { figures: { archives_removed: removed.length, archives_kept: kept } };
}

/** False when the series that a prune would be about by default have no archive: before the first backup that is no mistake. */
export function hasArchives(job: JobFile, repository: Repository, host: string): boolean {
  if (job.prune?.series !== undefined) return true;
  return repository.archives(makesArchives(job) ? { series: seriesOf(job, host) } : {}).length > 0;
}

/** What a prune of this job is asked for. Without series it is about all: a job that makes no archives prunes those of others. */
export function pruneOptions(job: JobFile, timeZone: string, host: string): Parameters<Repository['planPrune']>[0] {
  const settings: PruneDefinition = job.prune ?? {};
  const { by, 'max-share': maxShare } = settings;
  const series = settings.series ?? (makesArchives(job) ? [seriesOf(job, host)] : undefined);
  return {
    policy: policyOf(settings),
    ...(series === undefined ? {} : { series }),
    timeZone: settings['time-zone'] ?? timeZone,
    ...(by === undefined ? {} : { time: by }),
    ...(maxShare === undefined ? {} : { maxShare }),
  };
}

/**
 * The series that the job's archives are of. Each job has its own: a prune counts the archives of a series together, and would take those
 * of one job for newer ones of another.
 */
export function seriesOf({ name, backup }: Pick<JobFile, 'name' | 'backup'>, host: string): string {
  return backup?.series ?? `${backup?.host ?? host}-${name}`;
}

function makesArchives({ backup, dumps }: Pick<JobFile, 'backup' | 'dumps'>): boolean {
  return backup !== undefined || dumps !== undefined;
}

function policyOf(settings: PruneDefinition): RetentionPolicy {
  if (settings['keep-default'] === true) return DEFAULT_POLICY;
  const values = settings as Readonly<Record<string, unknown>>;
  const counts = COUNT_RULES.flatMap((rule) => {
    const value = values[`keep-${rule}`];
    return typeof value === 'number' ? [[rule, value] as const] : [];
  });
  const { 'keep-within': within, algorithm } = settings;
  return {
    ...Object.fromEntries(counts),
    ...(within === undefined ? {} : { within }),
    ...(algorithm === undefined ? {} : { algorithm }),
  };
}

/** Gives back space. */
export async function compact(run: JobRun, repository: Repository, signal: AbortSignal): Promise<StepResult> {
  const { grace: graceMs, 'max-unused': maxUnused } = run.job.compact ?? {};
  const report = await repository.compact(
    { ...(graceMs === undefined ? {} : { graceMs }), ...(maxUnused === undefined ? {} : { maxUnused }) },
    {
      signal,
      by: whoRuns(run),
      onProgress: ({ phase, done, total }) => run.log.progress('compact', { text: counted(phase, done, total) }),
    },
  );
  return { figures: { freed_bytes: report.removed.bytes, archives_dropped: report.dropped.length } };
}

/** Looks for damage, for as long as the job allows. Rejects with `CORRUPT` when there is some. */
export async function check(run: JobRun, repository: Repository, signal: AbortSignal): Promise<StepResult> {
  const { 'time-budget': forMs, share, headers } = run.job.check ?? {};
  const sample = { ...(share === undefined ? {} : { share }), ...(forMs === undefined ? {} : { forMs }) };
  const threads = run.job.backup?.threads;
  const report = await repository.check(
    {
      ...(Object.keys(sample).length === 0 ? {} : { sample }),
      ...(headers === undefined ? {} : { headers }),
      ...(threads === undefined ? {} : { threads }),
    },
    {
      signal,
      onFinding: ({ severity, message, object }) => {
        const text = `${object === undefined ? '' : `${object}: `}${message}`;
        if (severity === 'warning') run.log.warn(text);
        else if (severity === 'error') run.log.error(text);
      },
      onProgress: ({ phase, done, total }) => {
        if (phase === 'data') run.log.progress('check', { done_bytes: done, total_bytes: total });
        else run.log.progress('check', { text: counted(phase, done, total) });
      },
    },
  );
  const { errors, packsRead, bytesRead } = report;
  const figures = { check_errors: errors, packs_read: packsRead, checked_bytes: bytesRead };
  if (errors === 0) return { figures };
  Object.assign(run.figures, figures);
  throw new CairnError('CORRUPT', `the check found damage: ${errors} errors`, {
    hint: 'See what is affected with `cairn check`, and docs/guides/repairing.md.',
  });
}

/** For who reads the log of the repository: `root@web1, job nightly`. */
function whoRuns({ job, surroundings: { user, host } }: JobRun): string {
  return `${user}@${host}, job ${job.name}`;
}

function counted(phase: string, done: number, total: number): string {
  return total === 0 ? phase : `${phase}: ${done} of ${total}`;
}
