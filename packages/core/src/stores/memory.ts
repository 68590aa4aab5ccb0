import type { ObjectKey, ObjectKind } from '../ids.ts';
import { assertObjectKey, isObjectName } from '../ids.ts';
import type { Clock } from '../ports/environment.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import {
  assertGet,
  assertObjectKind,
  assertPut,
  objectExists,
  objectLabel,
  objectMissing,
  resolveRange,
  throwIfCancelled,
} from './contract.ts';

/** One object as it lies in a `MemoryStore`. */
export interface MemoryObject {
  readonly body: Uint8Array;
  /** Milliseconds since 1970, UTC. */
  readonly receivedMs: number;
}

const NS_PER_MS = 1_000_000n;

/**
 * A store in memory: for tests and simulations. Durable as long as its map is. The caller may own the map, whose keys are
 * `config` and `KIND/NAME`: to look at objects, to damage them, or to open the same objects a second time.
 */
export class MemoryStore implements ObjectStore {
  readonly description = 'memory';
  readonly #clock: Clock;
  readonly #objects: Map<string, MemoryObject>;

  constructor(clock: Clock, objects = new Map<string, MemoryObject>()) {
    this.#clock = clock;
    this.#objects = objects;
  }

  async put(key: ObjectKey, body: Uint8Array, options: CallOptions = {}): Promise<void> {
    assertPut(key, body);
    const label = objectLabel(key);
    throwIfCancelled(options.signal, `put ${label}`);
    if (this.#objects.has(label)) throw objectExists(key, this.description);
    const receivedMs = Number(this.#clock.nowNs() / NS_PER_MS);
    this.#objects.set(label, { body: new Uint8Array(body), receivedMs });
  }

  async get(key: ObjectKey, options: CallOptions & { readonly range?: ByteRange } = {}): Promise<Uint8Array> {
    assertGet(key, options.range);
    const label = objectLabel(key);
    throwIfCancelled(options.signal, `get ${label}`);
    const object = this.#objects.get(label);
    if (object === undefined) throw objectMissing(key, this.description);
    const { offset, length } = resolveRange(key, object.body.length, options.range);
    return new Uint8Array(object.body.subarray(offset, offset + length));
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    assertObjectKind(kind);
    for (const [label, { body, receivedMs }] of Array.from(this.#objects)) {
      throwIfCancelled(options.signal, `list ${kind}`);
      const name = label.slice(label.indexOf('/') + 1);
      if (!isObjectName(kind, name) || label !== objectLabel({ kind, name })) continue;
      yield { kind, name, sizeBytes: body.length, receivedMs };
    }
    throwIfCancelled(options.signal, `list ${kind}`);
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    assertObjectKey(key);
    const label = objectLabel(key);
    throwIfCancelled(options.signal, `delete ${label}`);
    this.#objects.delete(label);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing is held: the map belongs to whoever made it.
  }
}
