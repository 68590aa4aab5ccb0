import { describePolicy, type ArchiveRecord } from '@cairn/core';

import type { ArchiveOutlook } from '../retention/outlook.ts';
import { archiveJson, storeTime, type JsonObject } from '../shapes/index.ts';

const NS_PER_MS = 1_000_000n;

/** An archive as `cairn list --json` shows it, with what retention says of it. */
export function archiveRowJson(archive: ArchiveRecord, outlook: ArchiveOutlook | undefined): JsonObject {
  return { ...archiveJson(archive), ...additions(archive, outlook) };
}

/**
 * What somebody may know of an archive who sees only a part of it: nothing of other people's paths, sizes, warnings, and nothing that
 * somebody wrote about it.
 */
export function scopedRowJson(archive: ArchiveRecord, outlook: ArchiveOutlook | undefined): JsonObject {
  const { id, name, series, started, ended, received, state, deleted, complete } = archiveJson(archive);
  return { id, name, series, started, ended, received, state, deleted, complete, ...additions(archive, outlook) };
}

function additions({ descriptor }: ArchiveRecord, outlook: ArchiveOutlook | undefined): JsonObject {
  return {
    duration_ms: Number((descriptor.endNs - descriptor.startNs) / NS_PER_MS),
    ...(outlook === undefined ? {} : { retention: outlookJson(outlook) }),
  };
}

function outlookJson({ policy, reasons, goesMs }: ArchiveOutlook): JsonObject {
  return {
    keep: reasons.length > 0,
    reasons,
    policy: describePolicy(policy.policy),
    ...(policy.job === undefined ? {} : { job: policy.job }),
    ...(goesMs === undefined ? {} : { goes: storeTime(goesMs) }),
  };
}
