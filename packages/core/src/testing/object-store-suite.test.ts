import { describe, expect, it } from 'vitest';
import { CairnError } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import { objectLabel } from '../stores/contract.ts';
import type { MemoryObject } from '../stores/memory.ts';
import { MemoryStore } from '../stores/memory.ts';
import { listAll } from './object-store-scratch.ts';
import { objectStoreSuite } from './object-store-suite.ts';

const environment = systemEnvironment;
type GetOptions = CallOptions & { readonly range?: ByteRange };

/** A right store with access to its objects, for a subclass to break one thing. */
class Sabotaged extends MemoryStore {
  protected readonly objects: Map<string, MemoryObject>;

  constructor(objects = new Map<string, MemoryObject>()) {
    super(environment.clock, objects);
    this.objects = objects;
  }

  protected set(key: ObjectKey, body: Uint8Array): void {
    this.objects.set(objectLabel(key), { body, receivedMs: Date.now() });
  }
}

/** Each breaks one promise; the suite must notice by the named case. */
const SABOTAGE: readonly (readonly [string, string, () => ObjectStore])[] = [
  [
    'overwrites',
    'never overwrites',
    () =>
      new (class extends Sabotaged {
        override async put(key: ObjectKey, body: Uint8Array, options?: CallOptions) {
          await super.delete(key, options);
          await super.put(key, body, options);
        }
      })(),
  ],
  [
    'asks first and then overwrites',
    'lets exactly one of concurrent puts win',
    () =>
      new (class extends Sabotaged {
        override async put(key: ObjectKey, body: Uint8Array, options: CallOptions = {}) {
          if (this.objects.has(objectLabel(key))) return super.put(key, body, options);
          await new Promise((done) => setTimeout(done, 1));
          this.objects.delete(objectLabel(key));
          return super.put(key, body, options);
        }
      })(),
  ],
  [
    'says exists of an own put that won',
    'stores one object when the same bytes are put concurrently',
    () =>
      new (class extends Sabotaged {
        override async put(key: ObjectKey, body: Uint8Array, options?: CallOptions) {
          await super.put(key, body, options);
          if (body.length === 300_000) throw new CairnError('OBJECT_EXISTS', 'lost reply');
        }
      })(),
  ],
  [
    'keeps the body it was given',
    'keeps its own copy of a body',
    () =>
      new (class extends Sabotaged {
        override async put(key: ObjectKey, body: Uint8Array, options?: CallOptions) {
          await super.put(key, body, options);
          this.set(key, body);
        }
      })(),
  ],
  [
    'stores the buffer behind the body',
    'takes a body that is a part of a larger buffer',
    () =>
      new (class extends Sabotaged {
        override async put(key: ObjectKey, body: Uint8Array, options?: CallOptions) {
          await super.put(key, new Uint8Array(body.buffer, 0, body.length), options);
        }
      })(),
  ],
  [
    'gives its own bytes',
    'gives bytes that belong to the caller',
    () =>
      new (class extends Sabotaged {
        override async get(key: ObjectKey, options: GetOptions = {}) {
          const copy = await super.get(key, options);
          return options.range === undefined ? (this.objects.get(objectLabel(key))?.body ?? copy) : copy;
        }
      })(),
  ],
  [
    'cuts ranges at the end of the object',
    'rejects a range that the object does not have',
    () =>
      new (class extends Sabotaged {
        override async get(key: ObjectKey, options: GetOptions = {}) {
          const whole = await super.get(key);
          const { offset, length } = options.range ?? { offset: 0, length: whole.length };
          return whole.slice(offset, offset + length);
        }
      })(),
  ],
  [
    'reads one byte off',
    'gives the range that is asked for',
    () =>
      new (class extends Sabotaged {
        override async get(key: ObjectKey, { range, ...rest }: GetOptions = {}) {
          const off = range !== undefined && range.offset === 40_000 ? { ...range, offset: 40_001 } : range;
          return super.get(key, off === undefined ? rest : { ...rest, range: off });
        }
      })(),
  ],
  [
    'gives nothing for an absent object',
    'rejects a get of an absent object',
    () =>
      new (class extends Sabotaged {
        override async get(key: ObjectKey, options?: GetOptions) {
          return this.objects.has(objectLabel(key)) ? super.get(key, options) : new Uint8Array(0);
        }
      })(),
  ],
  [
    'has one room for packs and index',
    'keeps kinds apart',
    () =>
      new (class extends Sabotaged {
        override async get(key: ObjectKey, options?: GetOptions) {
          const other = key.kind === 'index' ? { ...key, kind: 'packs' as const } : key;
          return super.get(this.objects.has(objectLabel(other)) ? other : key, options);
        }
      })(),
  ],
  [
    'rejects when what is deleted is absent',
    'deletes, also what is absent',
    () =>
      new (class extends Sabotaged {
        override async delete(key: ObjectKey, options?: CallOptions) {
          await super.get(key);
          await super.delete(key, options);
        }
      })(),
  ],
  [
    'lists at most 50 objects',
    'lists 300 objects of all kinds, each once',
    () =>
      new (class extends Sabotaged {
        override async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
          let count = 0;
          for await (const info of super.list(kind, options)) if (++count <= 50) yield info;
        }
      })(),
  ],
  [
    'lists the first object of a page twice',
    'lists 300 objects of all kinds, each once',
    () =>
      new (class extends Sabotaged {
        override async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
          let count = 0;
          for await (const info of super.list(kind, options)) {
            yield info;
            if (++count % 50 === 0) yield info;
          }
        }
      })(),
  ],
  [
    'counts seconds instead of milliseconds',
    'lists an object as soon as its put resolved',
    () =>
      new (class extends Sabotaged {
        override async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
          for await (const info of super.list(kind, options)) {
            yield { ...info, receivedMs: Math.floor(info.receivedMs / 1_000) };
          }
        }
      })(),
  ],
  [
    'lists late',
    'lists an object as soon as its put resolved',
    () =>
      new (class extends Sabotaged {
        override async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
          for (const info of (await listAll(new MemoryStore(environment.clock, this.objects), kind)).slice(1))
            yield info;
          if (options?.signal?.aborted === true) throw new CairnError('CANCELLED', 'list');
        }
      })(),
  ],
  [
    'shows objects that are being written',
    'never shows a part of an object to a reader',
    () =>
      new (class extends Sabotaged {
        override async put(key: ObjectKey, body: Uint8Array, options?: CallOptions) {
          await super.put(key, body.subarray(0, body.length / 2), options);
          await new Promise((done) => setTimeout(done, 2));
          this.set(key, new Uint8Array(body));
        }
      })(),
  ],
  [
    'lists objects that are being written',
    'lists whole objects only while puts are under way',
    () =>
      new (class extends Sabotaged {
        override async put(key: ObjectKey, body: Uint8Array, options?: CallOptions) {
          await super.put(key, body.subarray(0, body.length / 2), options);
          await new Promise((done) => setTimeout(done, 2));
          this.set(key, new Uint8Array(body));
        }
      })(),
  ],
  [
    'does not look at the signal',
    'does nothing when the signal fired before',
    () =>
      new (class extends Sabotaged {
        override put(key: ObjectKey, body: Uint8Array) {
          return super.put(key, body);
        }
      })(),
  ],
  [
    'leaves a part behind when it is cancelled',
    'leaves all or nothing when the signal fires during a put',
    () =>
      new (class extends Sabotaged {
        override async put(key: ObjectKey, body: Uint8Array, options: CallOptions = {}) {
          await super.put(key, body, options);
          await new Promise((done) => setTimeout(done, 8));
          if (options.signal?.aborted !== true) return;
          this.set(key, body.subarray(1));
          throw new CairnError('CANCELLED', 'put');
        }
      })(),
  ],
  [
    'takes any name',
    'refuses names that are none',
    () =>
      new (class extends Sabotaged {
        override async put(key: ObjectKey, body: Uint8Array, options?: CallOptions) {
          if (key.name.startsWith('..')) this.set(key, body);
          else await super.put(key, body, options);
        }
      })(),
  ],
  [
    'lists any kind',
    'refuses kinds that are none',
    () =>
      new (class extends Sabotaged {
        override async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
          if (kind.length > 3) yield* super.list(kind, options);
        }
      })(),
  ],
];

async function failures(make: () => Promise<ObjectStore>, throwaway: boolean): Promise<string[]> {
  const failed: string[] = [];
  for (const check of objectStoreSuite({ environment, throwaway })) {
    await check.run(make).catch(() => failed.push(check.name));
  }
  return failed;
}

describe('objectStoreSuite', () => {
  it.each(SABOTAGE)('notices a store that %s', async (_what, expected, make) => {
    const check = objectStoreSuite({ environment, throwaway: true }).find(({ name }) => name === expected);
    await expect(check?.run(async () => make())).rejects.toThrow();
  });

  it('leaves a store in use as it was, and never touches its config or log', async () => {
    const name = '0'.repeat(64);
    const object = { body: new Uint8Array([1, 2, 3]), receivedMs: 4 };
    const labels = ['config', 'log/0000000000000001', `packs/${name}`, `index/${name}`];
    const before = new Map(labels.map((label) => [label, object]));
    const objects = new Map(before);
    const touched = new Set<string>();
    class Watched extends MemoryStore {
      override put(key: ObjectKey, body: Uint8Array, options?: CallOptions) {
        if (body.length > 1) touched.add(key.kind);
        return super.put(key, body, options);
      }
    }
    expect(await failures(async () => new Watched(environment.clock, objects), false)).toEqual([]);
    expect(objects).toEqual(before);
    expect([...touched].toSorted()).toEqual(['index', 'keys', 'packs']);
  });

  it('reports the failure of the case, not that of tidying up after it', async () => {
    class Broken extends MemoryStore {
      override async get(): Promise<Uint8Array> {
        throw new Error('get failed');
      }
      override async delete(): Promise<void> {
        throw new Error('delete failed');
      }
    }
    const [first] = objectStoreSuite({ environment, throwaway: true });
    await expect(first?.run(async () => new Broken(environment.clock))).rejects.toThrow('get failed');
  });
});
