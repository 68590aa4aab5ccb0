import { exactTime } from '@cairn/api/shapes';
import { describeRights, formatFingerprint, SECRET_NAMES } from '@cairn/core';

import { keyAtHand } from '../keys/key-at-hand.ts';
import { formatTime } from '../output/format.ts';
import { safeText } from '../output/safe-text.ts';
import { formatFacts } from '../output/table.ts';
import type { Verb } from '../verb.ts';

export const keyShow: Verb = {
  define(command) {
    command
      .description('Tell rights, repository, fingerprint and label of a key; never the key itself.')
      .argument('[file]', 'key file; the key that opens the repository when none is given')
      .addHelpText('after', '\nExample:\n  cairn key show /root/repo.key');
  },

  async run(context, { operands }) {
    const { keyFile, file, slot } = await keyAtHand(context, operands[0]);
    const { capabilities, fingerprint, label, createdNs } = keyFile;
    const holds = ['root', ...SECRET_NAMES].filter((name) => name in capabilities);
    const rights = describeRights(capabilities);
    const repository = Buffer.from(capabilities.repo).toString('hex');
    if (context.json) {
      const from = { ...(file === undefined ? {} : { file }), ...(slot === undefined ? {} : { slot: slot.uid }) };
      const facts = {
        repository,
        fingerprint: formatFingerprint(fingerprint),
        rights,
        label,
        created: exactTime(createdNs),
      };
      await context.output.line(JSON.stringify({ ...facts, holds, ...from }));
      return;
    }
    for (const line of formatFacts([
      ['rights', rights],
      ['repository', repository],
      ['fingerprint', formatFingerprint(fingerprint)],
      ['label', safeText(label)],
      ['created', formatTime(createdNs)],
      ['holds', holds.join(' ')],
      ...(file === undefined ? [] : [['file', file] as const]),
      ...(slot === undefined ? [] : [['key slot', slot.uid] as const]),
    ])) {
      await context.output.line(line);
    }
  },
};
