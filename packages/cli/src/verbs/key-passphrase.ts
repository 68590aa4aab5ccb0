import {
  CairnError,
  createPassphraseSlot,
  findSlot,
  listSlots,
  nodeSuite,
  removeSlot,
  replaceSlotFile,
  storeSlot,
  systemEnvironment,
  type PassphraseSlot,
} from '@cairn/core';

import type { Context } from '../context.ts';
import { addNewSecretOptions, newPassphrase, type NewSecretOptions } from '../keys/new-passphrase.ts';
import { checkFingerprint, keyFromFile, openSlots, type ObtainedKey } from '../keys/obtain-key.ts';
import { clientFilesOf, openStore } from '../open-repository.ts';
import { slotJson } from '../output/slot-json.ts';
import type { Verb } from '../verb.ts';

export const keyPassphrase: Verb = {
  define(command) {
    command
      .description(
        'Change the passphrase of a key slot: of one in the repository, or of the file that --key-file ' +
          'names. The old slot is removed when the new one is kept. Who knows the old passphrase and has a ' +
          'copy of the old slot keeps the key.',
      )
      .argument('[slot]', 'its name, or the first four digits; the one that the old passphrase opens when not given');
    addNewSecretOptions(command);
    command.addHelpText('after', '\nExample:\n  cairn key passphrase -r /backup/repo');
  },

  async run(context, { operands, options }) {
    const file = context.settings.text('key-file');
    const slot = await (file === undefined
      ? changeInStore(context, operands[0], options as NewSecretOptions)
      : changeInFile(context, file, options as NewSecretOptions));
    await context.output.line(
      context.json
        ? JSON.stringify(slotJson(slot))
        : `The passphrase is changed; the key slot is now ${slot.uid.slice(0, 8)}.`,
    );
  },
};

async function changeInFile(context: Context, file: string, options: NewSecretOptions): Promise<PassphraseSlot> {
  const key = await keyFromFile(context, file);
  if (key.slot === undefined) {
    throw new CairnError('USAGE', `${file} is a key file, which has no passphrase`, {
      hint: 'Make a slot of it: `cairn key slot add --output FILE`.',
    });
  }
  const fresh = await rewrap(context, key, options);
  await replaceSlotFile(file, fresh);
  return fresh;
}

async function changeInStore(
  context: Context,
  name: string | undefined,
  options: NewSecretOptions,
): Promise<PassphraseSlot> {
  const { store, id } = await openStore(context);
  try {
    const stored = await listSlots(store);
    const uid = name === undefined ? undefined : findSlot(stored, name);
    const slots = uid === undefined ? stored.slots : stored.slots.filter((slot) => slot.uid === uid);
    const key = await openSlots(context, slots, `now in use for ${store.description}`);
    await checkFingerprint(context, key, await clientFilesOf(context).clientState.readFingerprint(id));
    const fresh = await rewrap(context, key, options);
    // The old one goes last: at no moment is there no slot.
    await storeSlot(store, fresh);
    await removeSlot(store, key.slot.uid);
    return fresh;
  } finally {
    await store[Symbol.asyncDispose]();
  }
}

async function rewrap(
  context: Context,
  { keyFile, slot }: ObtainedKey,
  options: NewSecretOptions,
): Promise<PassphraseSlot> {
  const passphrase = await newPassphrase(context, options, 'of the key slot');
  try {
    const notes = { label: slot?.label ?? keyFile.label, createdNs: systemEnvironment.clock.nowNs() };
    return await createPassphraseSlot(nodeSuite, systemEnvironment.random, keyFile.capabilities, passphrase, notes);
  } finally {
    passphrase.fill(0);
  }
}
