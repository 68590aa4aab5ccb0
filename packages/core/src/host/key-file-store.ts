import { CairnError, isCairnError } from '../errors.ts';
import { type KeyFile, parseKeyFileText } from '../keys/key-file.ts';
import { encodeSlot, parseSlot, type Slot } from '../keys/slot.ts';
import { wipe } from '../keys/wipe.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { createSecretFile, readSecretFile, replaceSecretFile } from './secret-file.ts';

export interface StoredKeyFile {
  readonly keyFile: KeyFile;
  /** A sentence for the user when others than its owner can read or write the file. */
  readonly warning?: string;
}

/** A key file, or a key slot that its owner keeps in a file instead of in the store. */
export type StoredKey = StoredKeyFile | { readonly slot: Slot; readonly warning?: string };

/**
 * Reads a key file; a pipe will do. Rejects with `USAGE` when it cannot be read, with `LIMIT_EXCEEDED` when it is too long,
 * and as `parseKeyFileText` does.
 */
export async function readKeyFile(suite: CryptoSuite, path: string): Promise<StoredKeyFile> {
  const { bytes, ...rest } = await readSecretFile(path);
  return { keyFile: parseNamed(suite, path, bytes), ...rest };
}

/** Reads a key file or a key slot. Rejects as `readKeyFile` does, and as `parseSlot` does for what begins as a slot. */
export async function readKeyOrSlot(suite: CryptoSuite, path: string): Promise<StoredKey> {
  const { bytes, ...rest } = await readSecretFile(path);
  if (!/^\s*\{/.test(bytes.toString('latin1', 0, 64))) return { keyFile: parseNamed(suite, path, bytes), ...rest };
  return { slot: named(path, () => parseSlot(bytes)), ...rest };
}

function parseNamed(suite: CryptoSuite, path: string, bytes: Buffer): KeyFile {
  try {
    return named(path, () => parseKeyFileText(suite, bytes.toString()));
  } finally {
    wipe(bytes);
  }
}

/** Puts the path before what a parser complains of. */
function named<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (!isCairnError(cause)) throw cause;
    throw new CairnError(cause.code, `${path}: ${cause.message}`, {
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
      ...(cause.details === undefined ? {} : { details: cause.details }),
      cause,
    });
  }
}

/**
 * Writes a new key file, mode 0600, durable, and read back before this returns. Rejects with `TARGET_EXISTS` when there is
 * a file already, with `TARGET_FAILED` when it cannot be written, and as `parseKeyFileText` does for a text that is none.
 */
export async function createKeyFile(suite: CryptoSuite, path: string, text: string): Promise<void> {
  parseKeyFileText(suite, text);
  await withBytes(text, (bytes) => createSecretFile(path, bytes, (read) => parseNamed(suite, path, read)));
}

/**
 * Puts a key file in the place of another, whole or not at all: the new one is durable and was read back before the old
 * one goes. A symbolic link stays, and what it points to is replaced. Rejects as `createKeyFile` does.
 */
export async function replaceKeyFile(suite: CryptoSuite, path: string, text: string): Promise<void> {
  parseKeyFileText(suite, text);
  await withBytes(text, (bytes) => replaceSecretFile(path, bytes, (read) => parseNamed(suite, path, read)));
}

async function withBytes(text: string, use: (bytes: Buffer) => Promise<void>): Promise<void> {
  const bytes = Buffer.from(text);
  try {
    await use(bytes);
  } finally {
    wipe(bytes);
  }
}

/** Writes a key slot to a new file, as `createKeyFile` does. */
export async function createSlotFile(path: string, slot: Slot): Promise<void> {
  await createSecretFile(path, encodeSlot(slot), parseSlot);
}

/** Puts a key slot in the place of another file, as `replaceKeyFile` does. */
export async function replaceSlotFile(path: string, slot: Slot): Promise<void> {
  await replaceSecretFile(path, encodeSlot(slot), parseSlot);
}
