import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { CairnError, isCairnError } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import type { ObjectKey } from '../ids.ts';
import { RETRY } from '../limits.ts';
import type { CallOptions, ObjectStore } from '../ports/object-store.ts';
import { FaultyStore, type Fault } from '../testing/faulty-store.ts';
import { listAll } from '../testing/object-store-scratch.ts';
import { objectStoreSuite, testObjectStore } from '../testing/object-store-suite.ts';
import { VirtualTime } from '../testing/virtual-time.ts';
import { MemoryStore, type MemoryObject } from './memory.ts';
import { RetryingStore, type RetryNotice } from './retrying.ts';

const { random } = systemEnvironment;
const KEY = { kind: 'keys', name: 'ab'.repeat(16) } as const;
const BODY = new Uint8Array([1, 2, 3]);

const unreachable = (what: string): Error => new CairnError('STORE_UNREACHABLE', `${what} got no answer`);

interface Made {
  readonly store: RetryingStore;
  readonly inner: FaultyStore;
  readonly time: VirtualTime;
  readonly notices: RetryNotice[];
}

function make(
  faults: readonly Fault[],
  forMs?: number,
  memory: ObjectStore = new MemoryStore(new VirtualTime()),
): Made {
  const time = new VirtualTime();
  const notices: RetryNotice[] = [];
  const inner = new FaultyStore(
    memory,
    faults.map((fault) => ({ error: unreachable, ...fault })),
  );
  const options = { clock: time, timer: time, random, onRetry: (notice: RetryNotice) => void notices.push(notice) };
  return {
    store: new RetryingStore(inner, { ...options, ...(forMs === undefined ? {} : { forMs }) }),
    inner,
    time,
    notices,
  };
}

describe('RetryingStore over a good store', () => {
  testObjectStore(it, async () => make([], undefined, new MemoryStore(systemEnvironment.clock)).store, {
    environment: systemEnvironment,
    throwaway: true,
  });
});

/** Cases that put the same bytes twice: who gets no answer cannot tell whose they are. */
const SAME_BYTES: readonly string[] = [
  'stores one object when the same bytes are put concurrently',
  'never overwrites',
];

describe('RetryingStore over a store that often does not answer', () => {
  const faults = Array.from({ length: 4_000 }, (_, i): Fault => ({
    at: 3 + 3 * i,
    when: i % 2 === 0 ? 'before' : 'after',
  }));
  for (const check of objectStoreSuite({ environment: systemEnvironment, throwaway: true })) {
    if (SAME_BYTES.includes(check.name)) continue;
    it(check.name, () =>
      check.run(async () => make(faults, undefined, new MemoryStore(systemEnvironment.clock)).store),
    );
  }
});

describe('RetryingStore', () => {
  it('repeats a get until there is an answer, and waits longer each time', async () => {
    const { store, inner, time, notices } = make([{ operation: 'get', at: 1, times: 8, when: 'before' }]);
    await store.put(KEY, BODY);
    expect(await store.get(KEY)).toEqual(BODY);
    expect(inner.counts.get).toBe(9);
    for (const [i, { delayMs }] of notices.entries()) {
      const bound = Math.min(RETRY.mostDelayMs, RETRY.firstDelayMs * 2 ** i);
      expect(delayMs).toBeGreaterThanOrEqual(bound / 2);
      expect(delayMs).toBeLessThanOrEqual(bound);
    }
    expect(notices).toHaveLength(8);
    expect(time.monotonicMs()).toBe(notices.reduce((sum, { delayMs }) => sum + delayMs, 0));
  });

  it('gives up when the time is over, with what happened last', async () => {
    const { store, time, notices } = make([{ at: 1, times: Infinity, when: 'before' }], 60_000);
    await expect(store.get(KEY)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/^get \d+ got no answer \(tried \d+ times in \d+ s\)$/),
    });
    expect(time.monotonicMs()).toBeLessThanOrEqual(60_000);
    expect(time.monotonicMs()).toBeGreaterThan(60_000 - RETRY.mostDelayMs);
    expect(notices.length).toBeGreaterThan(5);
  });

  it('does not repeat at all when there is no time', async () => {
    const { store, inner } = make([{ at: 1, when: 'before' }], 0);
    await expect(store.get(KEY)).rejects.toThrow(/^get 1 got no answer$/);
    expect(inner.operations).toBe(1);
  });

  it.each(['STORE_FULL', 'STORE_DENIED', 'STORE_FAILED', 'OBJECT_MISSING', 'CORRUPT', 'CANCELLED'] as const)(
    'passes %s on at once',
    async (code) => {
      const { store, inner } = make([{ at: 1, when: 'before', error: (what) => new CairnError(code, what) }]);
      await expect(store.get(KEY)).rejects.toMatchObject({ code });
      expect(inner.operations).toBe(1);
    },
  );

  it('passes on what is no error of a store', async () => {
    const { store } = make([{ at: 1, when: 'before', error: () => new TypeError('a bug') }]);
    await expect(store.get(KEY)).rejects.toThrow(TypeError);
  });

  it('takes its own object for its own, when only the answer got lost', async () => {
    const { store, inner } = make([{ operation: 'put', at: 1, when: 'after' }]);
    await store.put(KEY, BODY);
    expect(inner.counts).toMatchObject({ put: 1, get: 1 });
  });

  it('never takes the object of somebody else for its own', async () => {
    const objects = new Map<string, MemoryObject>();
    const { store } = make(
      [{ operation: 'put', at: 1, when: 'before' }],
      undefined,
      new MemoryStore(new VirtualTime(), objects),
    );
    objects.set(`keys/${KEY.name}`, { body: new Uint8Array([1, 2, 4]), receivedMs: 0 });
    await expect(store.put(KEY, BODY)).rejects.toMatchObject({ code: 'OBJECT_EXISTS' });
    objects.set(`keys/${KEY.name}`, { body: BODY, receivedMs: 0 });
    // Without a failure of its own, even the same bytes are another's.
    await expect(store.put(KEY, BODY)).rejects.toMatchObject({ code: 'OBJECT_EXISTS' });
  });

  it('notices that an earlier attempt arrived late', async () => {
    const objects = new Map<string, MemoryObject>();
    class Late extends MemoryStore {
      puts = 0;
      override async put(key: ObjectKey, body: Uint8Array, options?: CallOptions): Promise<void> {
        this.puts += 1;
        if (this.puts === 1) throw unreachable('put');
        // The first attempt lands between the look and the second attempt.
        if (this.puts === 2) objects.set(`keys/${key.name}`, { body: new Uint8Array(body), receivedMs: 0 });
        await super.put(key, body, options);
      }
    }
    const { store } = make([], undefined, new Late(new VirtualTime(), objects));
    await store.put(KEY, BODY);
    expect(objects.size).toBe(1);
  });

  it.each([
    ['packs', true],
    ['keys', false],
  ] as const)('who may not read trusts the name of %s: %s', async (kind, trusts) => {
    const key = { kind, name: 'ab'.repeat(kind === 'packs' ? 32 : 16) } as const;
    const { store } = make([
      { operation: 'put', at: 1, when: 'after' },
      {
        operation: 'get',
        at: 1,
        times: Infinity,
        when: 'before',
        error: (what) => new CairnError('STORE_DENIED', what),
      },
    ]);
    const code = await store.put(key, BODY).then(
      () => 'stored',
      (error: unknown) => (isCairnError(error) ? error.code : error),
    );
    expect(code).toBe(trusts ? 'stored' : 'OBJECT_EXISTS');
  });

  it('lists each object once though the listing breaks off again and again', async () => {
    const objects = new Map(
      Array.from({ length: 50 }, (_, i) => [`log/${i.toString(16).padStart(16, '0')}`, { body: BODY, receivedMs: i }]),
    );
    const { store, inner } = make(
      [{ operation: 'list', at: 1, times: 3, when: 'after' }],
      undefined,
      new MemoryStore(new VirtualTime(), objects),
    );
    expect(await listAll(store, 'log')).toHaveLength(50);
    expect(inner.counts.list).toBe(4);
  });

  it('stops at once when the signal fires while it waits', async () => {
    const controller = new AbortController();
    const time = new VirtualTime();
    const inner = new FaultyStore(new MemoryStore(time), [
      { at: 1, times: Infinity, when: 'before', error: unreachable },
    ]);
    const store = new RetryingStore(inner, {
      clock: time,
      timer: time,
      random,
      onRetry: () => setImmediate(() => controller.abort()),
    });
    await expect(store.get(KEY, { signal: controller.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('ends each put with the object, or an error that says why not, whatever fails', async () => {
    const fault = fc.record({ at: fc.integer({ min: 1, max: 12 }), when: fc.constantFrom('before', 'after') });
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 8 }), fc.boolean(), async (faults, taken) => {
        const objects = new Map<string, MemoryObject>();
        const other = { body: new Uint8Array([9]), receivedMs: 0 };
        if (taken) objects.set(`keys/${KEY.name}`, other);
        const { store } = make(faults, undefined, new MemoryStore(new VirtualTime(), objects));
        const error = await store.put(KEY, BODY).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (taken) expect(isCairnError(error, 'OBJECT_EXISTS')).toBe(true);
        else expect(error).toBeUndefined();
        expect(objects.get(`keys/${KEY.name}`)?.body).toEqual(taken ? other.body : BODY);
      }),
    );
  });
});
