import {
  acceptSlotKey,
  CairnError,
  clientFiles,
  formatFingerprint,
  listSlots,
  nodeSuite,
  openStore,
  parseFingerprint,
  readKeyOrSlot,
  readPassphraseFile,
  Repository,
  unlock,
  type ClientFiles,
  type Environment,
  type KeyFile,
  type ObjectStore,
  type OpenStoreOptions,
  type Slot,
} from '@cairn/core';
import { join } from 'node:path';

import type { JobDefinition } from '../job-file/schema.ts';

/** Where a client keeps files of its own; absolute. */
export interface JobDirectories {
  /** What must not get lost: what was seen of repositories, and the record of runs. */
  readonly state: string;
  /** What may be deleted at any time. */
  readonly cache: string;
  /** Key files at their default place, `REPOSITORY-ID.key`. */
  readonly keys: string;
}

export interface UnattendedOptions {
  readonly directories: JobDirectories;
  /** The environment: some kinds of stores take settings from it. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly environment: Environment;
  /** Rates and the like, as `openStore` takes them. */
  readonly store?: Pick<OpenStoreOptions, 'uploadBytesPerS' | 'downloadBytesPerS' | 'onRetry'>;
  /** Hears what the user should know although it works. */
  readonly onWarning?: (text: string) => void;
  /** Opens the store. Default: that of core, for all addresses. */
  readonly openStore?: typeof openStore;
}

/** Milliseconds that one call to a store is tried again unless the job says otherwise: what takes longer is for the job's own retries. */
const RETRY_FOR_MS = 120_000;

/**
 * Opens the repository of a job where nobody can be asked for anything. Rejects with `USAGE` for files that cannot be read,
 * `WRONG_KEY` when no key opens it or a slot's key is not known, and as `openStore` and `Repository.open` do.
 */
export async function openUnattended(
  where: JobDefinition['repository'],
  options: UnattendedOptions,
): Promise<Repository> {
  const { directories, environment, variables } = options;
  const files = clientFiles({ state: directories.state, cache: directories.cache });
  const credentialsFile = where['credentials-file'];
  const store = await (options.openStore ?? openStore)(where.address, {
    variables,
    storeMemory: files.storeMemory,
    cacheDirectory: directories.cache,
    retryForMs: where['retry-for'] ?? RETRY_FOR_MS,
    environment,
    ...(credentialsFile === undefined ? {} : { credentialsFile }),
    ...options.store,
  });
  try {
    return await openIn(store, where, files, options);
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

async function openIn(
  store: ObjectStore,
  where: JobDefinition['repository'],
  { clientState, treeCache, checkMemory }: ClientFiles,
  options: UnattendedOptions,
): Promise<Repository> {
  const { environment } = options;
  const { repo } = await Repository.inspect(store);
  const id = Buffer.from(repo).toString('hex');
  const known = await clientState.readFingerprint(id);
  const { capabilities, fingerprint } = await keyOf(store, id, where, known, options);
  const repository = await Repository.open(store, {
    keys: capabilities,
    clientState,
    treeCache,
    checkMemory,
    environment,
  });
  if (known === undefined) await clientState.writeFingerprint(id, fingerprint);
  for (const { message, hint = '' } of repository.doubts()) options.onWarning?.(`${message}. ${hint}`);
  return repository;
}

async function keyOf(
  store: ObjectStore,
  id: string,
  where: JobDefinition['repository'],
  known: Uint8Array | undefined,
  { directories, onWarning }: UnattendedOptions,
): Promise<KeyFile> {
  const passphraseFile = where['passphrase-file'];
  const file = where['key-file'] ?? (passphraseFile === undefined ? join(directories.keys, `${id}.key`) : undefined);
  if (file !== undefined) {
    const stored = await readKeyOrSlot(nodeSuite, file);
    if (stored.warning !== undefined) onWarning?.(stored.warning);
    const key = 'keyFile' in stored ? stored.keyFile : await unlocked([stored.slot], passphraseFile, file);
    return checked(key, where);
  }
  const { slots, unreadable } = await listSlots(store);
  for (const { uid, error } of unreadable) onWarning?.(`key slot ${uid}: ${error.message}`);
  const key = checked(await unlocked(slots, passphraseFile, store.description), where);
  // Anybody who writes to a store can put a slot there.
  if (where.fingerprint !== undefined || acceptSlotKey(key, known) === 'accepted') return key;
  throw new CairnError(
    'WRONG_KEY',
    `this machine does not know the repository yet: ${formatFingerprint(key.fingerprint)}`,
    {
      hint: 'If that is the fingerprint that you wrote down, set `fingerprint` in [repository] of the job.',
    },
  );
}

async function unlocked(slots: readonly Slot[], passphraseFile: string | undefined, what: string): Promise<KeyFile> {
  if (passphraseFile === undefined) {
    throw new CairnError('WRONG_KEY', `a passphrase is needed for ${what}, and a job can ask nobody`, {
      hint: 'Set `passphrase-file` in [repository] of the job, or issue a key file for it with `cairn key issue`.',
    });
  }
  const passphrase = await readPassphraseFile(passphraseFile);
  try {
    return (await unlock(nodeSuite, slots, passphrase)).keyFile;
  } finally {
    passphrase.fill(0);
  }
}

function checked(key: KeyFile, { fingerprint }: JobDefinition['repository']): KeyFile {
  if (fingerprint === undefined || Buffer.compare(parseFingerprint(fingerprint), key.fingerprint) === 0) return key;
  const shown = formatFingerprint(key.fingerprint);
  throw new CairnError('WRONG_KEY', `the key has the fingerprint ${shown}, not ${fingerprint}`, {
    hint: 'This is another repository, or somebody else made the key slot. Do not use it.',
  });
}
