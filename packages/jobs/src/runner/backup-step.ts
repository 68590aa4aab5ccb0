import {
  CairnError,
  displayName,
  presetNamed,
  systemErrorCode,
  toUtf8,
  type BackupReport,
  type BackupRequest,
  type Problem,
  type Repository,
  type SelectionOptions,
} from '@cairn/core';
import { readFile } from 'node:fs/promises';

import type { JobFile } from '../job-file/read-job.ts';
import type { JobDefinition } from '../job-file/schema.ts';
import type { JobRun, StepResult } from './job-run.ts';
import { seriesOf } from './maintenance-steps.ts';
import type { JobDirectories } from './unattended-repository.ts';

type Contents = NonNullable<BackupRequest['contents']>;
type BackupDefinition = NonNullable<JobDefinition['backup']>;

/** What the backup of a job is asked for, less what dumps add. Rejects with `USAGE` when an exclude file cannot be read. */
export async function backupRequest(
  job: JobFile,
  directories: Pick<JobDirectories, 'cache'>,
  who: { readonly host: string; readonly user: string; readonly program: string },
): Promise<BackupRequest> {
  const settings: BackupDefinition = job.backup ?? {};
  const { comment, compression, threads, host = who.host } = settings;
  return {
    paths: sourcesOf(job),
    select: await selectionOf(settings, directories.cache),
    series: seriesOf(job, who.host),
    host,
    user: who.user,
    program: who.program,
    tags: settings.tags ?? [],
    ...(comment === undefined ? {} : { comment }),
    ...(compression === undefined ? {} : { compressionLevel: compression }),
    ...(threads === undefined ? {} : { threads }),
  };
}

/** What the job backs up: its sources, else those of its presets; none for a job of dumps alone. */
export function sourcesOf({ backup }: JobDefinition): readonly string[] {
  if (backup?.sources !== undefined && backup.sources.length > 0) return backup.sources;
  return (backup?.presets ?? []).flatMap((name) => presetNamed(name).sources);
}

/** What the backup of a job leaves out. Rejects with `USAGE` when an exclude file cannot be read. */
export async function selectionOf(settings: BackupDefinition, cache: string): Promise<SelectionOptions> {
  const limit = settings['exclude-larger-than'];
  return {
    excludes: settings.excludes ?? [],
    presets: settings.presets ?? [],
    excludeFiles: await Promise.all((settings['exclude-from'] ?? []).map(readExcludeFile)),
    excludeCaches: settings['exclude-caches'] === true,
    excludeIfPresent: settings['exclude-if-present'] ?? [],
    excludeNodump: settings['exclude-nodump'] === true,
    oneFileSystem: settings['one-file-system'] === true,
    storePaths: [Buffer.from(cache).toString('latin1')],
    ...(limit === undefined ? {} : { excludeLargerThan: limit }),
  };
}

async function readExcludeFile(name: string): Promise<{ readonly name: string; readonly content: Uint8Array }> {
  try {
    return { name, content: await readFile(name) };
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read the exclude file ${name}: ${systemErrorCode(cause) ?? String(cause)}`, {
      hint: 'Check the path of `exclude-from` in [backup] of the job.',
      cause,
    });
  }
}

/** Backs up sources and dumps as one archive. `onContentProblem` hears of each dump that failed, by its path. */
export async function backUp(
  run: JobRun,
  repository: Repository,
  contents: Contents,
  onContentProblem: (problem: Problem) => void,
  signal: AbortSignal,
): Promise<StepResult> {
  const { job, log, surroundings } = run;
  const request = await backupRequest(job, surroundings.directories, surroundings);
  const totalBytes = expectedBytes(repository, request);
  const report = await repository.backup(
    { ...request, contents },
    {
      signal,
      onProblem: (problem) => {
        if (problem.kind === 'content') onContentProblem(problem);
        else if (problem.kind === 'changed' || problem.kind === 'vanished')
          log.info(`${problem.kind}: ${problem.message}`);
        else log.warn(`${problem.kind}: ${problem.message}`);
      },
      onExcluded: ({ path, decision: { reason } }) => {
        // People forget that they leave out whole file systems.
        if (reason.kind === 'mount') log.info(`left out: ${displayName(path)}: ${reason.text}`);
      },
      onProgress: ({ files, bytes, storedBytes }) =>
        log.progress('backup', {
          done_bytes: bytes,
          ...(totalBytes === undefined ? {} : { total_bytes: totalBytes }),
          files,
          stored_bytes: storedBytes,
        }),
    },
  );
  run.archive = report.archive.name;
  if (report.cacheFailure !== undefined) log.warn(report.cacheFailure.message);
  if (report.parentDamage !== undefined) {
    log.warn(`a part of ${report.parent} cannot be read: ${report.parentDamage.message}. See \`cairn check\`.`);
  }
  return { figures: figuresOf(report), text: report.archive.name };
}

function figuresOf({ progress }: BackupReport): Record<string, number> {
  const { files, directories, unchangedFiles, excluded, bytes, newBytes, storedBytes, problems } = progress;
  return {
    files,
    directories,
    unchanged_files: unchangedFiles,
    excluded,
    bytes,
    new_bytes: newBytes,
    stored_bytes: storedBytes,
    problems,
  };
}

/** About as many bytes as the last archive of the series had, when it was of the same sources. */
function expectedBytes(repository: Repository, { series, paths }: BackupRequest): number | undefined {
  const newest = repository.archives(series === undefined ? {} : { series }).at(-1)?.descriptor;
  const before = newest?.paths.map((path) => toUtf8(Buffer.from(path).toString('latin1')));
  return before?.join('\0') === paths.map(String).join('\0') ? newest?.stats.bytes : undefined;
}
