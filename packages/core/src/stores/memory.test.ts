import { describe, expect, it } from 'vitest';
import { systemEnvironment } from '../host/environment.ts';
import type { Clock } from '../ports/environment.ts';
import { listAll } from '../testing/object-store-scratch.ts';
import { testObjectStore } from '../testing/object-store-suite.ts';
import type { MemoryObject } from './memory.ts';
import { MemoryStore } from './memory.ts';

const environment = systemEnvironment;

describe('MemoryStore', () => {
  testObjectStore(it, async () => new MemoryStore(environment.clock), { environment, throwaway: true });
});

describe('MemoryStore with a map of the caller', () => {
  const name = 'ab'.repeat(16);
  const key = { kind: 'keys', name } as const;

  it('takes the time of its clock, in milliseconds', async () => {
    const clock: Clock = { nowNs: () => 1_234_567_999_999n, monotonicMs: () => 0 };
    const objects = new Map<string, MemoryObject>();
    await new MemoryStore(clock, objects).put(key, new Uint8Array([1]));
    expect(objects).toEqual(new Map([[`keys/${name}`, { body: new Uint8Array([1]), receivedMs: 1_234_567 }]]));
  });

  it('shows what was done to the map, and skips what is no object', async () => {
    const objects = new Map<string, MemoryObject>();
    const store = new MemoryStore(environment.clock, objects);
    objects.set(`keys/${name}`, { body: new Uint8Array([7, 8]), receivedMs: 5 });
    for (const foreign of ['keys/x', `tmp/${name}`, `keys/keys/${name}`, name, 'config/config']) {
      objects.set(foreign, { body: new Uint8Array(1), receivedMs: 0 });
    }
    expect(await store.get(key)).toEqual(new Uint8Array([7, 8]));
    expect(await listAll(store, 'keys')).toEqual([{ ...key, sizeBytes: 2, receivedMs: 5 }]);
    expect(await listAll(store, 'config')).toEqual([]);
  });
});
