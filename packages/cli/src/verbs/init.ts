import {
  createKeyFile,
  createPassphraseSlot,
  describeRights,
  encodeKeyFileText,
  formatFingerprint,
  fingerprintOf,
  nodeSuite,
  Repository,
  storeSlot,
  systemEnvironment,
  type Capabilities,
} from '@cairn/core';
import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import { defaultKeyFile, makeKeyDirectory } from '../keys/key-places.ts';
import { addNewSecretOptions, newPassphrase, type NewSecretOptions } from '../keys/new-passphrase.ts';
import { clientFilesOf, openPlace, repositoryPlace, shownPlace } from '../open-repository.ts';
import { formatFacts } from '../output/table.ts';
import type { Verb } from '../verb.ts';

interface InitOptions extends NewSecretOptions {
  readonly passphrase?: boolean;
  readonly label: string;
}

export const init: Verb = {
  define(command) {
    command
      .description('Create a repository in an empty place, and the key file that opens it. A new directory is made.')
      .option('--passphrase', 'also keep the key in the repository, wrapped for a passphrase')
      .option('--label <text>', 'label of the key', 'root key');
    addNewSecretOptions(command);
    command.addHelpText('after', '\nExample:\n  cairn init -r /backup/repo --key-file /root/repo.key');
  },

  async run(context, { options }) {
    const { passphrase: wantsSlot, label, ...secrets } = options as unknown as InitOptions;
    const place = shownPlace(repositoryPlace(context));
    // Asked for before anything is made.
    const passphrase = wantsSlot === true ? await newPassphrase(context, secrets, 'for the new repository') : undefined;
    const store = await openPlace(context, place, { create: true });
    const { clientState } = clientFilesOf(context);
    let keyFile = '';
    const { repository, keys } = await Repository.create(store, {
      clientState,
      // Before the repository exists: a repository without a key that was saved is of no use to anybody.
      saveKeys: async (fresh) => {
        keyFile = await writeRootKey(context, fresh, label);
      },
    });
    try {
      await clientState.writeFingerprint(repository.id, fingerprintOf(nodeSuite, keys));
      if (passphrase !== undefined) {
        const createdNs = systemEnvironment.clock.nowNs();
        const { random } = systemEnvironment;
        await storeSlot(store, await createPassphraseSlot(nodeSuite, random, keys, passphrase, { label, createdNs }));
        passphrase.fill(0);
      }
      await report(context, { place, repository, keys, keyFile, slot: passphrase !== undefined });
    } finally {
      await repository.close();
    }
  },
};

async function writeRootKey(context: Context, keys: Capabilities, label: string): Promise<string> {
  const named = context.settings.text('key-file');
  const path = named ?? defaultKeyFile(context, Buffer.from(keys.repo).toString('hex'));
  if (named === undefined) await makeKeyDirectory(path);
  const createdNs = systemEnvironment.clock.nowNs();
  await createKeyFile(nodeSuite, path, encodeKeyFileText(nodeSuite, keys, { label, createdNs }));
  return resolve(path);
}

interface Made {
  readonly place: string;
  readonly repository: Repository;
  readonly keys: Capabilities;
  readonly keyFile: string;
  readonly slot: boolean;
}

async function report({ json, output, messages, settings }: Context, made: Made): Promise<void> {
  const { place, repository, keys, keyFile, slot } = made;
  const fingerprint = formatFingerprint(fingerprintOf(nodeSuite, keys));
  if (json) {
    const result = {
      repository: place,
      id: repository.id,
      fingerprint,
      key_file: keyFile,
      rights: describeRights(keys),
    };
    await output.line(JSON.stringify({ ...result, passphrase_slot: slot }));
    return;
  }
  await output.line('The repository is made.');
  for (const line of formatFacts([
    ['address', place],
    ['id', repository.id],
    ['fingerprint', fingerprint],
    ['root key', keyFile],
    ...(slot ? [['key slot', 'in the repository, for your passphrase'] as const] : []),
  ])) {
    await output.line(line);
  }
  messages.info(nextSteps(place, settings.text('key-file') === undefined ? undefined : keyFile));
}

/** @param keyFile when it is not where it is found without being named. */
function nextSteps(place: string, keyFile: string | undefined): string {
  const named = `-r ${shellWord(place)}${keyFile === undefined ? '' : ` --key-file ${shellWord(keyFile)}`}`;
  return `
Without a key nobody can read the backups, not even you. Save it now, away from this machine:
  cairn ${named} key export --paper > recovery.txt      to print; then remove the file
A machine that only backs up should not have the root key:
  cairn ${named} key issue --rights write --output write.key
The first backup:
  cairn ${named} backup /etc /home`;
}

/** A word as a shell takes it. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
