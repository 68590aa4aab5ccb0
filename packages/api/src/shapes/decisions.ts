import type { Change, DeletePlan, DeleteReport } from '@cairn/core';

import { archiveJson, entryJson } from './archive.ts';
import { bytesField, type JsonObject } from './json.ts';

/** What was deleted or brought back; without a report, what would be. */
export function deletionJson(plan: DeletePlan, report?: DeleteReport): JsonObject {
  return {
    dry_run: report === undefined,
    archives: (report ?? plan).archives.map(archiveJson),
    unchanged: (report?.unchanged ?? []).map(archiveJson),
  };
}

export function changeJson(change: Change): JsonObject {
  const { path, before, after, what, addedBytes, removedBytes } = change;
  return {
    ...bytesField('path', path),
    change: change.change,
    what,
    added_bytes: addedBytes,
    removed_bytes: removedBytes,
    ...(before === undefined ? {} : { before: entryJson(path, before) }),
    ...(after === undefined ? {} : { after: entryJson(path, after) }),
  };
}
