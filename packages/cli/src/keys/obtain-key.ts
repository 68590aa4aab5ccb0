import {
  acceptSlotKey,
  CairnError,
  formatFingerprint,
  listSlots,
  nodeSuite,
  parseFingerprint,
  passphraseBytes,
  readKeyOrSlot,
  unlock,
  type DirectoryClientState,
  type KeyFile,
  type ObjectStore,
  type Slot,
} from '@cairn/core';
import { existsSync } from 'node:fs';

import type { Context } from '../context.ts';
import { defaultKeyFile } from './key-places.ts';
import { readSecret } from './read-secret.ts';
import { secretSourceOf } from './secret-source.ts';
import { Terminal } from './terminal.ts';

/** A key, and where it comes from. */
export interface ObtainedKey {
  readonly keyFile: KeyFile;
  /** The file that it was read from, wrapped or not; undefined when it comes from a slot of the store. */
  readonly file?: string;
  /** The slot that was opened; undefined when the key lay open in a file. */
  readonly slot?: Slot;
}

/** Times that a person may type a passphrase. */
const ATTEMPTS = 3;

/**
 * The key to open a repository with: the key file that is set; else, when a way to a passphrase is set, a slot of the store;
 * else the key file at its default place; else a slot, for whose passphrase a person is asked.
 *
 * Rejects with `WRONG_KEY` when nothing opens, when the fingerprint is not the one that is set or that this machine knows, and
 * when a slot's key is met for the first time and nobody confirms its fingerprint.
 */
export async function obtainKey(
  context: Context,
  store: ObjectStore,
  repository: string,
  clientState: DirectoryClientState,
): Promise<ObtainedKey> {
  const { settings } = context;
  const file = settings.text('key-file');
  const byDefault = defaultKeyFile(context, repository);
  let key: ObtainedKey;
  if (file !== undefined) key = await keyFromFile(context, file);
  else if (secretSourceOf(settings) === undefined && existsSync(byDefault)) key = await keyFromFile(context, byDefault);
  else key = await keyFromStore(context, store, byDefault);
  await checkFingerprint(context, key, await clientState.readFingerprint(repository));
  return key;
}

/** The key in a file. One that holds a slot is unwrapped with the passphrase. */
export async function keyFromFile(context: Context, path: string): Promise<ObtainedKey> {
  const stored = await readKeyOrSlot(nodeSuite, path);
  if (stored.warning !== undefined) context.messages.warn(stored.warning);
  if ('keyFile' in stored) return { keyFile: stored.keyFile, file: path };
  if (stored.slot.kind === 'openpgp') {
    throw new CairnError('WRONG_KEY', `${path} is wrapped for OpenPGP keys`, {
      hint: `\`jq -r .message ${path} | gpg --decrypt | cairn key import\` takes the key out of it.`,
    });
  }
  const { keyFile, slot } = await openSlots(context, [stored.slot], `for ${path}`);
  return { keyFile, slot, file: path };
}

async function keyFromStore(context: Context, store: ObjectStore, byDefault: string): Promise<ObtainedKey> {
  const { slots, unreadable } = await listSlots(store);
  for (const { uid, error } of unreadable) context.messages.warn(`key slot ${uid}: ${error.message}`);
  if (!slots.some((slot) => slot.kind === 'passphrase')) {
    throw new CairnError('WRONG_KEY', `no key for ${store.description} is at hand, and it has no passphrase slot`, {
      hint: `Name a key file with --key-file, put one at ${byDefault}, or import the recovery key: \`cairn key import\`.`,
    });
  }
  return await openSlots(context, slots, `for ${store.description}`);
}

/** Opens one of the slots with the passphrase that is set, or that a person types. Rejects with `WRONG_KEY`. */
export async function openSlots(
  context: Context,
  slots: readonly Slot[],
  what: string,
): Promise<{ readonly keyFile: KeyFile; readonly slot: Slot }> {
  const source = secretSourceOf(context.settings);
  if (source !== undefined) return await tryPassphrase(context, slots, await readSecret(source, context.signal));
  const terminal = Terminal.open();
  if (terminal === undefined) {
    throw new CairnError('WRONG_KEY', `a passphrase is needed ${what}, and there is no terminal to ask at`, {
      hint: 'Name a key file with --key-file, or say with --passphrase-file or --passphrase-command where it is.',
    });
  }
  try {
    for (let attempt = 1; ; attempt++) {
      const typed = await terminal.askHidden(`Passphrase ${what}: `);
      try {
        return await tryPassphrase(context, slots, passphraseBytes(typed));
      } catch (error) {
        if (!(error instanceof CairnError) || attempt === ATTEMPTS) throw error;
        if (error.code !== 'WRONG_KEY' && error.code !== 'USAGE') throw error;
        terminal.say(`${error.message}; try again.`);
      }
    }
  } finally {
    terminal.close();
  }
}

async function tryPassphrase(
  context: Context,
  slots: readonly Slot[],
  passphrase: Buffer,
): Promise<{ readonly keyFile: KeyFile; readonly slot: Slot }> {
  try {
    const { keyFile, slot, failures } = await unlock(nodeSuite, slots, passphrase);
    for (const { uid, error } of failures) context.messages.warn(`key slot ${uid}: ${error.message}`);
    return { keyFile, slot };
  } finally {
    passphrase.fill(0);
  }
}

/**
 * Anybody who writes to a store can put a slot there: a key from a slot must be known, or a person must say that it is right.
 * Rejects with `WRONG_KEY`.
 */
export async function checkFingerprint(
  context: Context,
  key: ObtainedKey,
  known: Uint8Array | undefined,
): Promise<void> {
  const { keyFile, file } = key;
  const shown = formatFingerprint(keyFile.fingerprint);
  const wanted = context.settings.text('fingerprint');
  if (wanted !== undefined && Buffer.compare(parseFingerprint(wanted), keyFile.fingerprint) !== 0) {
    throw new CairnError('WRONG_KEY', `the key has the fingerprint ${shown}, not ${wanted}`, {
      hint: 'This is another repository, or somebody else made the key slot. Do not use it.',
    });
  }
  if (file !== undefined || wanted !== undefined) return;
  if (acceptSlotKey(keyFile, known) === 'accepted') return;
  const terminal = Terminal.open();
  if (terminal === undefined) {
    throw new CairnError('WRONG_KEY', `this machine does not know the repository yet; its fingerprint is ${shown}`, {
      hint: `Compare it with the one that you wrote down. If it is the same, repeat with --fingerprint ${shown}.`,
    });
  }
  try {
    terminal.say(`This machine does not know the repository yet. Its fingerprint is ${shown}.`);
    const answer = await terminal.ask('Is that the one that you wrote down? (yes/no) ');
    if (/^y(es)?$/i.test(answer.trim())) return;
    throw new CairnError('WRONG_KEY', `the fingerprint ${shown} was not confirmed`, {
      hint: 'Use a key file or the recovery key instead of a key slot of this store.',
    });
  } finally {
    terminal.close();
  }
}
