import { CairnError, FILE_SYSTEM_TYPE, isDead, mountAt } from '@cairn/core';

import { mountPlace } from '../mounting/mount-place.ts';
import type { Verb } from '../verb.ts';

interface UmountOptions {
  readonly lazy?: boolean;
}

export const umount: Verb = {
  define(command) {
    command
      .description(
        'Unmount what `cairn mount` mounted. One that is in use is left alone, and who uses it is named. What a killed ' +
          'mount left behind is cleared.',
      )
      .argument('<directory>', 'where it is mounted')
      .option('--lazy', 'take it out of sight at once; what is open stays readable until it is closed')
      .addHelpText('after', '\nExample:\n  cairn umount /mnt/backup');
  },

  async run({ json, output, messages }, { operands, options }) {
    const { unmountDirectory } = await import('@cairn/fuse');
    const directory = mountPlace(operands[0] ?? '');
    const there = mountAt(directory);
    if (there === undefined) {
      throw new CairnError('USAGE', `nothing is mounted at ${directory}`, { hint: 'See `findmnt -t fuse.cairn`.' });
    }
    if (there.type !== FILE_SYSTEM_TYPE) {
      throw new CairnError('USAGE', `${directory} is not a mount of Cairn, but of ${there.type}`, {
        hint: 'Unmount it with what mounted it.',
      });
    }
    const dead = await isDead(there);
    await unmountDirectory(directory, { lazy: dead || (options as UmountOptions).lazy === true });
    if (json) await output.line(JSON.stringify({ directory, was_dead: dead }));
    else messages.info(dead ? `Cleared ${directory}: its process was gone.` : `Unmounted ${directory}.`);
  },
};
