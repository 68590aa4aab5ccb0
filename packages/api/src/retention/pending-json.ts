import type { PendingDeletions } from '@cairn/core';

import { archiveJson, storeTime, type JsonObject } from '../shapes/index.ts';

/**
 * What is going, and when. Space comes free in two steps: a compact drops an archive when its grace is over and condemns what only it
 * needed, and the first compact after another grace removes that.
 */
export function pendingJson({ seq, graceMs, archives, objects }: PendingDeletions): JsonObject {
  return {
    log_entry: seq,
    grace_ms: graceMs,
    archives: archives.map(({ archive, heldBy, droppableMs }) => ({
      ...archiveJson(archive),
      ...(heldBy === undefined ? {} : { held_by: heldBy }),
      droppable: droppableMs === undefined ? undefined : storeTime(droppableMs),
      ...(droppableMs === undefined ? {} : { space_from: storeTime(droppableMs + graceMs) }),
    })),
    objects: objects.map(({ sinceMs, removableMs, packs, segments }) => ({
      since: storeTime(sinceMs),
      removable: storeTime(removableMs),
      packs,
      segments,
    })),
  };
}
