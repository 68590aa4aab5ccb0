import { CairnError, findSlot, listSlots, removeSlot } from '@cairn/core';

import { withRepository } from '../open-repository.ts';
import type { Verb } from '../verb.ts';

export const keySlotRemove: Verb = {
  define(command) {
    command
      .description(
        'Remove a key slot from the repository. Needs a key that is not in this slot, so that nobody ' +
          'locks himself out. Who opened the slot before keeps the key.',
      )
      .argument('<slot>', 'its name, or the first four digits or more')
      .addHelpText('after', '\nExample:\n  cairn key slot remove -r /backup/repo --key-file root.key 3fa8');
  },

  async run(context, { operands }) {
    await withRepository(context, async ({ store, key }) => {
      const uid = findSlot(await listSlots(store), operands[0] ?? '');
      if (key.slot?.uid === uid) {
        throw new CairnError('USAGE', `key slot ${uid.slice(0, 8)} is the one that opened the repository`, {
          hint: 'Open it with a key file or another slot, so that there is a way in when this one is gone.',
        });
      }
      await removeSlot(store, uid);
      await context.output.line(
        context.json ? JSON.stringify({ removed: uid }) : `Key slot ${uid.slice(0, 8)} is removed.`,
      );
    });
  },
};
