import { listSlots, type Slot } from '@cairn/core';

import { openStore } from '../open-repository.ts';
import { formatStoreTime } from '../output/format.ts';
import { JsonArray } from '../output/json-array.ts';
import { safeText } from '../output/safe-text.ts';
import { slotJson } from '../output/slot-json.ts';
import { formatTable } from '../output/table.ts';
import type { Verb } from '../verb.ts';

export const keySlotList: Verb = {
  define(command) {
    command
      .description('Show the key slots of the repository, as they describe themselves. Needs no key.')
      .addHelpText('after', '\nExample:\n  cairn key slot list -r /backup/repo');
  },

  async run({ output, messages, json, ...context }) {
    const { store, claims } = await openStore({ messages, ...context });
    const { slots, unreadable } = await listSlots(store);
    await store[Symbol.asyncDispose]();
    for (const { uid, error } of unreadable) messages.warn(`key slot ${uid}: ${error.message}`);
    const own = Buffer.from(claims.fingerprint).toString('hex');
    if (json) {
      const array = new JsonArray(output);
      for (const slot of slots) await array.add(slotJson(slot));
      await array.end();
      return;
    }
    const rows = slots.map((slot) => [
      slot.uid.slice(0, 8),
      slot.kind,
      slot.rights,
      createdText(slot),
      safeText(slot.label),
      detailOf(slot, own),
    ]);
    for (const line of formatTable([['slot', 'kind', 'rights', 'created', 'label', ''], ...rows]))
      await output.line(line);
  },
};

/** Anybody may have written the slot: a time that there is not is shown as it is. */
function createdText({ created }: Slot): string {
  const ms = Date.parse(created);
  return Number.isNaN(ms) ? created : formatStoreTime(ms);
}

function detailOf(slot: Slot, fingerprint: string): string {
  if (slot.fingerprint !== fingerprint) return 'of other keys than this repository: do not use it';
  return slot.kind === 'openpgp' ? `for ${slot.recipients.join(', ')}` : '';
}
