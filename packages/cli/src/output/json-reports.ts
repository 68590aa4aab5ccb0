import { archiveJson, bytesField, exactTime, type Json, type JsonObject } from '@cairn/api/shapes';
import {
  type BackupReport,
  type CheckReport,
  type ChunkSum,
  type ExportTarReport,
  type Finding,
  type ImportTarReport,
  type Problem,
  type RestoreAction,
  type RestoreReport,
  type RewrittenArchive,
  type StatsReport,
} from '@cairn/core';

export function backupJson(report: BackupReport, dryRun: boolean): JsonObject {
  const { files, directories, unchangedFiles, excluded, bytes, newBytes, storedBytes } = report.progress;
  return {
    archive: archiveJson(report.archive),
    dry_run: dryRun,
    complete: report.archive.descriptor.complete,
    files,
    directories,
    unchanged_files: unchangedFiles,
    excluded,
    bytes,
    new_bytes: newBytes,
    stored_bytes: storedBytes,
    ...(report.parent === undefined ? {} : { compared_with: report.parent }),
    duration_ms: Math.round(report.durationMs),
    problem_counts: Object.fromEntries(report.problemCounts),
    problems: report.problems.map(problemJson),
  };
}

function problemJson({ kind, path, message }: Pick<Problem, 'path' | 'message'> & { readonly kind: string }): Json {
  return { kind, ...bytesField('path', path), message };
}

export function restoreJson(
  report: RestoreReport,
  archive: string,
  target: string,
  dryRun: boolean,
  actions: readonly RestoreAction[],
): JsonObject {
  const { files, directories, others, bytes, problems, problemCounts, notRestored } = report;
  const { replaced, unchanged, attributes, kept, deleted, verified, badRanges, badBytes } = report;
  return {
    archive,
    target,
    dry_run: dryRun,
    complete: Object.keys(problemCounts).length === 0,
    files,
    directories,
    others,
    bytes,
    replaced,
    unchanged,
    attributes,
    kept,
    deleted,
    verified,
    problem_counts: problemCounts as JsonObject,
    problems: problems.map(problemJson),
    bad_bytes: badBytes,
    bad_ranges: badRanges.map(({ path, offset, length }) => ({ ...bytesField('path', path), offset, length })),
    not_restored: notRestored as JsonObject,
    ...(dryRun ? { actions: actions.map(({ action, path }) => ({ action, ...bytesField('path', path) })) } : {}),
  };
}

export function exportTarJson(report: ExportTarReport, archive: string): JsonObject {
  const { files, directories, others, bytes, tarBytes, problems, problemCounts, lost } = report;
  return {
    archive,
    complete: Object.keys(problemCounts).length === 0,
    files,
    directories,
    others,
    bytes,
    tar_bytes: tarBytes,
    problem_counts: problemCounts as JsonObject,
    problems: problems.map(problemJson),
    lost: lost as JsonObject,
  };
}

export function importTarJson({ archive, problems, problemCounts, durationMs }: ImportTarReport): JsonObject {
  return {
    archive: archiveJson(archive),
    complete: archive.descriptor.complete,
    duration_ms: Math.round(durationMs),
    problem_counts: Object.fromEntries(problemCounts),
    problems: problems.map(problemJson),
  };
}

export function rewrittenJson({ original, archive, removed }: RewrittenArchive): JsonObject {
  return {
    original: archiveJson(original),
    ...(archive === undefined ? {} : { archive: archiveJson(archive) }),
    removed: { ...removed },
  };
}

function sumJson({ chunks, storedBytes }: ChunkSum): JsonObject {
  return { chunks, stored_bytes: storedBytes };
}

export function usageJson(report: StatsReport): JsonObject {
  const objects = ({ count, bytes }: StatsReport['packs']): JsonObject => ({ count, bytes });
  return {
    archives: report.liveArchives,
    deleted_archives: report.deletedArchives,
    content_bytes: report.contentBytes,
    unique_bytes: report.uniqueBytes,
    needed: sumJson(report.needed),
    deleted_bytes: report.deletedBytes,
    unneeded: sumJson(report.unneeded),
    missing_chunks: report.missingChunks,
    packs: objects(report.packs),
    unlisted_packs: objects(report.unlistedPacks),
    swept: objects(report.swept),
    index: objects(report.index),
    log: objects(report.log),
    per_archive: report.archives?.map((usage) => {
      const { id, name, descriptor } = usage.archive;
      return { id, name, series: descriptor.series, bytes: descriptor.stats.bytes, ...sumJson(usage) };
    }),
    ...(report.ifDeleted === undefined ? {} : { if_deleted: sumJson(report.ifDeleted) }),
    growth: report.growth.map(({ series, months }) => ({
      series,
      months: months.map(({ month, archives, addedBytes, contentBytes }) => ({
        month,
        archives,
        added_bytes: addedBytes,
        content_bytes: contentBytes,
      })),
    })),
  };
}

function findingJson(finding: Finding): JsonObject {
  const { severity, code, object, archive, archiveId, path, message, hint } = finding;
  return { severity, code, object, archive, archive_id: archiveId, path, message, hint };
}

export function checkJson(report: CheckReport): JsonObject {
  return {
    level: report.level,
    started: exactTime(report.startedNs),
    ended: exactTime(report.endedNs),
    objects: report.objects,
    packs: report.packs,
    packs_read: report.packsRead,
    chunks: report.chunks,
    archives: report.archives,
    entries: report.entries,
    references: report.references,
    affected_archives: report.affected.archives,
    affected_paths: report.affected.paths,
    unverified_packs: report.unverified.packs,
    ...(report.unverified.oldestMs === undefined
      ? {}
      : { oldest_verified: exactTime(BigInt(report.unverified.oldestMs) * 1_000_000n) }),
    recorded: report.recorded,
    bytes_read: report.bytesRead,
    errors: report.errors,
    warnings: report.warnings,
    findings: report.findings.map(findingJson),
  };
}
