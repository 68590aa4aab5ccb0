import type { JsonObject } from '@cairn/api/shapes';
import type { Slot } from '@cairn/core';

/** A key slot without what it wraps. */
export function slotJson(slot: Slot): JsonObject {
  const { uid, kind, rights, label, created, repository } = slot;
  return {
    slot: uid,
    kind,
    rights,
    label,
    created,
    repository,
    ...(slot.kind === 'openpgp' ? { recipients: slot.recipients } : {}),
  };
}
