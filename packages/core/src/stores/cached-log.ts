import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { isCairnError, systemErrorCode } from '../errors.ts';
import { logName, toHex, type ObjectKey, type ObjectKind } from '../ids.ts';
import type { Random } from '../ports/environment.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';

/** "CRNL", then for each slot from 1 on `length:u32 ‖ object`, then SHA-256 of all before. Numbers are little-endian. */
const MAGIC = Buffer.from('CRNL', 'latin1');
const HASH_BYTES = 32;

/**
 * A decorator for stores that are far away: keeps the log's entries in a local file, so that opening a repository asks for
 * the new ones only. Entries never change, so a kept one is as good as the store's, as long as the store still has the same
 * history: the newest kept entry is read from it each time, and when that is another one or gone, everything is asked for
 * again. The file is disposable, holds only sealed objects, and a damaged one is not used.
 */
export class CachedLogStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #file: string;
  readonly #random: Random;
  #kept: Promise<Uint8Array[]> | undefined;
  /** Entries that were not in the file, by slot. */
  readonly #fresh = new Map<number, Uint8Array>();

  /** @param file where the entries are kept; its directory need not exist. */
  constructor(inner: ObjectStore, file: string, random: Random) {
    this.#inner = inner;
    this.#file = file;
    this.#random = random;
  }

  get description(): string {
    return this.#inner.description;
  }

  get keepsLog(): boolean | undefined {
    return this.#inner.keepsLog;
  }

  async put(key: ObjectKey, body: Uint8Array, options?: CallOptions): Promise<void> {
    await this.#inner.put(key, body, options);
    if (key.kind === 'log') this.#fresh.set(slotOf(key.name), Uint8Array.from(body));
  }

  async get(key: ObjectKey, options?: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    if (key.kind !== 'log' || options?.range !== undefined) return await this.#inner.get(key, options);
    const slot = slotOf(key.name);
    const kept = (await (this.#kept ??= this.#read(options)))[slot - 1];
    if (kept !== undefined) return Uint8Array.from(kept);
    const object = await this.#inner.get(key, options);
    this.#fresh.set(slot, Uint8Array.from(object));
    return object;
  }

  list(kind: ObjectKind, options?: CallOptions): AsyncIterable<ObjectInfo> {
    return this.#inner.list(kind, options);
  }

  async delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    if (key.kind === 'log') {
      this.#kept = Promise.resolve([]);
      this.#fresh.clear();
    }
    await this.#inner.delete(key, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#write();
    await this.#inner[Symbol.asyncDispose]();
  }

  /** The kept entries, or none when the store has another history. Rejects as the store does when it cannot be asked. */
  async #read(options: CallOptions | undefined): Promise<Uint8Array[]> {
    const kept = parse(await readIfAny(this.#file));
    const newest = kept.at(-1);
    if (newest === undefined) return [];
    try {
      const stored = await this.#inner.get({ kind: 'log', name: logName(kept.length) }, options);
      return Buffer.compare(stored, newest) === 0 ? kept : [];
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING')) return [];
      this.#kept = undefined;
      throw error;
    }
  }

  /** Puts the file anew when there is more to keep. A failure costs the next run time, and nothing else. */
  async #write(): Promise<void> {
    const kept = await (this.#kept ?? Promise.resolve([])).catch(() => []);
    const entries = [...kept];
    for (let next = this.#fresh.get(entries.length + 1); next !== undefined;) {
      entries.push(next);
      next = this.#fresh.get(entries.length + 1);
    }
    if (entries.length === kept.length) return;
    const temporary = `${this.#file}.${toHex(this.#random.bytes(6))}`;
    try {
      await mkdir(path.dirname(this.#file), { recursive: true, mode: 0o700 });
      await writeFile(temporary, encode(entries), { mode: 0o600, flag: 'wx' });
      await rename(temporary, this.#file);
    } catch {
      await rm(temporary, { force: true }).catch(() => undefined);
    }
  }
}

/** 0 for a name that is none: nothing is kept there. */
function slotOf(name: string): number {
  const slot = Number.parseInt(name, 16);
  return Number.isSafeInteger(slot) ? slot : 0;
}

async function readIfAny(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    if (systemErrorCode(error) !== undefined) return Buffer.alloc(0);
    throw error;
  }
}

function encode(entries: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [MAGIC];
  for (const entry of entries) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(entry.length);
    parts.push(length, entry);
  }
  const body = Buffer.concat(parts);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

/** The entries in a file's bytes; none when it is not whole. */
function parse(bytes: Buffer): Uint8Array[] {
  const end = bytes.length - HASH_BYTES;
  if (end < MAGIC.length || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return [];
  if (!createHash('sha256').update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end))) return [];
  const entries: Uint8Array[] = [];
  for (let at = MAGIC.length; at < end;) {
    const next = at + 4 + bytes.readUInt32LE(at);
    entries.push(bytes.subarray(at + 4, next));
    at = next;
  }
  return entries;
}
