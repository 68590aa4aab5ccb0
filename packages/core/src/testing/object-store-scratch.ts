import { createHash } from 'node:crypto';
import type { ErrorCode } from '../errors.ts';
import { isCairnError } from '../errors.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { toHex } from '../ids.ts';
import type { Environment } from '../ports/environment.ts';
import type { ObjectInfo, ObjectStore } from '../ports/object-store.ts';

/** A case of the suite before it has a store. */
export interface ScratchCase {
  readonly name: string;
  readonly throwawayOnly?: true;
  run(scratch: Scratch): Promise<void>;
}

export interface Put {
  readonly key: ObjectKey;
  readonly body: Uint8Array;
}

/** Kinds whose names are free to choose, so that two bodies may meet under one name. */
export type FreeKind = 'keys' | 'log';

/** The part of a store that one case plays with: it makes names and bodies, and remembers what to remove. */
export class Scratch {
  readonly store: ObjectStore;
  readonly environment: Environment;
  readonly throwaway: boolean;
  readonly #made = new Map<string, ObjectKey>();

  constructor(store: ObjectStore, environment: Environment, throwaway: boolean) {
    this.store = store;
    this.environment = environment;
    this.throwaway = throwaway;
  }

  get freeKinds(): readonly FreeKind[] {
    return this.throwaway ? ['keys', 'log'] : ['keys'];
  }

  body(bytes: number): Uint8Array {
    return this.environment.random.bytes(bytes);
  }

  /** A key nobody uses, for any body. */
  freeKey(kind: FreeKind): ObjectKey {
    return this.#remember({ kind, name: toHex(this.body(kind === 'keys' ? 16 : 8)) });
  }

  /** The key under which this very body must be put. */
  hashedKey(kind: 'packs' | 'index', body: Uint8Array): ObjectKey {
    return this.#remember({ kind, name: createHash('sha256').update(body).digest('hex') });
  }

  configKey(): ObjectKey {
    return this.#remember({ kind: 'config', name: 'config' });
  }

  /** Puts all at once and calls `look` again and again, at least once, until they are through. */
  async whilePutting(puts: readonly Put[], look: () => Promise<void>): Promise<void> {
    let writing = true;
    const done = Promise.all(puts.map(({ key, body }) => settle(this.store.put(key, body)))).finally(() => {
      writing = false;
    });
    try {
      do await look();
      while (writing);
    } finally {
      await done;
    }
    for (const outcome of await done) if (!outcome.resolved) throw outcome.error;
  }

  async clean(): Promise<void> {
    for (const key of this.#made.values()) await this.store.delete(key);
  }

  #remember(key: ObjectKey): ObjectKey {
    this.#made.set(`${key.kind}/${key.name}`, key);
    return key;
  }
}

export function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

export function checkBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  check(actual.length === expected.length, `${what}: ${actual.length} bytes instead of ${expected.length}`);
  check(Buffer.compare(actual, expected) === 0, `${what}: right length, other bytes`);
}

/** The call must reject with that code. */
export async function checkRejects(code: ErrorCode, what: string, call: () => Promise<unknown>): Promise<void> {
  const outcome = await settle(call());
  check(!outcome.resolved, `${what}: it resolved instead of rejecting with ${code}`);
  if (!isCairnError(outcome.error, code)) {
    throw new Error(`${what}: it rejected with ${String(outcome.error)} instead of ${code}`, { cause: outcome.error });
  }
}

export type Outcome = { readonly resolved: true } | { readonly resolved: false; readonly error: unknown };

export async function settle(call: Promise<unknown>): Promise<Outcome> {
  try {
    await call;
    return { resolved: true };
  } catch (error) {
    return { resolved: false, error };
  }
}

export async function listAll(store: ObjectStore, kind: ObjectKind, signal?: AbortSignal): Promise<ObjectInfo[]> {
  const infos: ObjectInfo[] = [];
  for await (const info of store.list(kind, signal === undefined ? {} : { signal })) infos.push(info);
  return infos;
}
