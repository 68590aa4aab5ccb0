import { describe, expect, it } from 'vitest';
import { systemEnvironment } from '../host/environment.ts';
import { MemoryStore } from '../stores/memory.ts';
import type { Fault } from './faulty-store.ts';
import { FaultyStore } from './faulty-store.ts';
import { listAll } from './object-store-scratch.ts';
import { testObjectStore } from './object-store-suite.ts';

const BODY = new Uint8Array([1, 2, 3]);
const key = (digit: string) => ({ kind: 'keys', name: digit.repeat(32) }) as const;

function stores(...faults: readonly Fault[]) {
  const inner = new MemoryStore(systemEnvironment.clock);
  return { inner, store: new FaultyStore(inner, faults) };
}

describe('FaultyStore without faults', () => {
  testObjectStore(it, async () => stores().store, { environment: systemEnvironment, throwaway: true });
});

describe('FaultyStore', () => {
  it('fails the chosen put before it is done', async () => {
    const { inner, store } = stores({ at: 2, operation: 'put', when: 'before' });
    await store.put(key('1'), BODY);
    await expect(store.put(key('2'), BODY)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await store.put(key('3'), BODY);
    expect((await listAll(inner, 'keys')).map((info) => info.name[0])).toEqual(['1', '3']);
  });

  it('fails a call after it is done', async () => {
    const { inner, store } = stores({ at: 1, operation: 'put', when: 'after' }, { at: 3, when: 'after' });
    await expect(store.put(key('1'), BODY)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await inner.get(key('1'))).toEqual(BODY);
    await store.get(key('1'));
    await expect(store.delete(key('1'))).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(await listAll(inner, 'keys')).toEqual([]);
  });

  it('breaks a listing off after its items', async () => {
    const { store } = stores({ at: 1, operation: 'list', when: 'after' });
    await store.put(key('1'), BODY);
    const seen: string[] = [];
    const reading = async () => {
      for await (const info of store.list('keys')) seen.push(info.name);
    };
    await expect(reading()).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(seen).toHaveLength(1);
  });

  it('counts, fails several calls in a row, and gives the error asked for', async () => {
    const { store } = stores({ at: 2, when: 'before', times: 2, error: (what) => new RangeError(what) });
    await store.put(key('1'), BODY);
    await expect(store.get(key('1'))).rejects.toThrow(new RangeError('get 1'));
    await expect(listAll(store, 'keys')).rejects.toThrow(new RangeError('list 1'));
    await store.delete(key('1'));
    expect(store.counts).toEqual({ put: 1, get: 1, list: 1, delete: 1 });
    expect(store.operations).toBe(4);
  });
});
