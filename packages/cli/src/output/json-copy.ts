import type { JsonObject } from '@cairn/api/shapes';
import type { CopyReport } from '@cairn/core';

export function copyJson({ archives, newBytes, storedBytes, durationMs }: CopyReport): JsonObject {
  return {
    archives: archives.map((archive) => ({
      outcome: archive.outcome,
      archive: archive.source.name,
      archive_id: archive.source.id,
      ...('copy' in archive ? { copy: archive.copy.name, copy_id: archive.copy.id } : {}),
      ...('reason' in archive ? { reason: archive.reason } : {}),
    })),
    new_bytes: newBytes,
    stored_bytes: storedBytes,
    duration_ms: Math.round(durationMs),
  };
}
