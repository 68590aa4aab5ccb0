import {
  CairnError,
  createOpenPgpSlot,
  createPassphraseSlot,
  createSlotFile,
  nodeSuite,
  restrict,
  storeSlot,
  systemEnvironment,
  type Capabilities,
  type Rights,
  type Slot,
} from '@cairn/core';
import { Option } from 'commander';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import { addNewSecretOptions, newPassphrase, type NewSecretOptions } from '../keys/new-passphrase.ts';
import { withRepository } from '../open-repository.ts';
import { several } from '../option-values.ts';
import { slotJson } from '../output/slot-json.ts';
import type { Verb } from '../verb.ts';

interface SlotAddOptions extends NewSecretOptions {
  readonly openpgp?: readonly string[];
  readonly rights?: Rights;
  readonly label?: string;
  readonly output?: string;
}

export const keySlotAdd: Verb = {
  define(command) {
    command
      .description(
        'Wrap the key at hand for a passphrase, or for the owners of OpenPGP keys, and keep it in the ' +
          'repository or in a file.',
      )
      .option('--openpgp <file>', 'public key to wrap it for (gpg --armor --export); may be repeated', several)
      .addOption(new Option('--rights <rights>', 'wrap a key with fewer rights').choices(['read', 'maintain', 'write']))
      .option('--label <text>', 'label of the slot')
      .option('-o, --output <file>', 'keep the slot in a new file instead of in the repository');
    addNewSecretOptions(command);
    command.addHelpText(
      'after',
      '\nExample:\n  cairn key slot add -r /backup/repo --rights read --label "for restoring"',
    );
  },

  async run(context, { options }) {
    const { output, ...rest } = options as SlotAddOptions;
    await withRepository(context, async ({ store, key }) => {
      const { capabilities } = key.keyFile;
      const wrapped = rest.rights === undefined ? capabilities : restrict(capabilities, rest.rights);
      const slot = await makeSlot(context, wrapped, rest);
      const file = output === undefined ? undefined : resolve(output);
      await (file === undefined ? storeSlot(store, slot) : createSlotFile(file, slot));
      if (context.json)
        await context.output.line(JSON.stringify({ ...slotJson(slot), ...(file === undefined ? {} : { file }) }));
      else
        await context.output.line(
          `Key slot ${slot.uid.slice(0, 8)} is ${file === undefined ? 'in the repository' : `in ${file}`}.`,
        );
    });
  },
};

async function makeSlot(context: Context, capabilities: Capabilities, options: SlotAddOptions): Promise<Slot> {
  const { openpgp, label = '', ...secrets } = options;
  const { random, clock } = systemEnvironment;
  const notes = { label, createdNs: clock.nowNs() };
  if (openpgp !== undefined) {
    const { newPassphraseFile, newPassphraseCommand, newPassphraseFd, generatePassphrase } = secrets;
    if (
      [newPassphraseFile, newPassphraseCommand, newPassphraseFd, generatePassphrase].some((one) => one !== undefined)
    ) {
      throw new CairnError('USAGE', 'a slot is for a passphrase or for OpenPGP keys', { hint: 'Make two slots.' });
    }
    const armored = await Promise.all(openpgp.map(readPublicKey));
    return await createOpenPgpSlot(nodeSuite, random, capabilities, armored, notes);
  }
  const passphrase = await newPassphrase(context, secrets, 'of the key slot');
  try {
    return await createPassphraseSlot(nodeSuite, random, capabilities, passphrase, notes);
  } finally {
    passphrase.fill(0);
  }
}

async function readPublicKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read the public key ${path}`, { hint: 'Check the path.', cause });
  }
}
