import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { systemEnvironment } from '../host/environment.ts';
import { toHex } from '../ids.ts';
import type { ObjectKey } from '../ids.ts';
import type { CallOptions } from '../ports/object-store.ts';
import { DistantStore } from '../testing/distant-store.ts';
import { testObjectStore } from '../testing/object-store-suite.ts';
import { VirtualTime } from '../testing/virtual-time.ts';
import { MemoryStore } from './memory.ts';
import { RateLimiter } from './rate-limiter.ts';
import { ThrottledStore } from './throttled.ts';

const MiB = 1_048_576;

function freshKey(): ObjectKey {
  return { kind: 'keys', name: toHex(systemEnvironment.random.bytes(16)) };
}

describe('ThrottledStore', () => {
  testObjectStore(
    it,
    async () => {
      const time = new VirtualTime();
      const limits = { uploadBytesPerS: 50 * MiB, downloadBytesPerS: 80 * MiB };
      // Not without any way to it: who looks again and again in no time would let nothing else happen.
      const inner = new DistantStore(new MemoryStore(systemEnvironment.clock), { timer: time, delayMs: 1 });
      return new ThrottledStore(inner, { clock: time, timer: time, ...limits });
    },
    { environment: systemEnvironment, throwaway: true },
  );

  it('limits each direction by itself', async () => {
    const time = new VirtualTime();
    const store = new ThrottledStore(new MemoryStore(time), {
      clock: time,
      timer: time,
      uploadBytesPerS: MiB,
      downloadBytesPerS: 4 * MiB,
    });
    const keys = [freshKey(), freshKey(), freshKey()];
    await Promise.all(keys.map((key) => store.put(key, new Uint8Array(4 * MiB))));
    // 12 MiB at 1 MiB/s, a tenth of a second of which may come at once.
    expect(time.monotonicMs()).toBeGreaterThanOrEqual(11_890);
    expect(time.monotonicMs()).toBeLessThan(12_100);
    const before = time.monotonicMs();
    await Promise.all(keys.map((key) => store.get(key)));
    expect(time.monotonicMs() - before).toBeGreaterThanOrEqual(2_890);
    expect(time.monotonicMs() - before).toBeLessThan(3_100);
  });

  it('follows a rate that changes while something is under way', async () => {
    const time = new VirtualTime();
    const hours = { from: 0, to: Infinity };
    const rate = (): number | undefined => {
      const isLimited = time.monotonicMs() >= hours.from && time.monotonicMs() < hours.to;
      return isLimited ? MiB : undefined;
    };
    const store = new ThrottledStore(new MemoryStore(time), { clock: time, timer: time, uploadBytesPerS: rate });
    // Three seconds with a limit, then none.
    hours.to = 3_000;
    await store.put(freshKey(), new Uint8Array(12 * MiB));
    expect(time.monotonicMs()).toBeGreaterThanOrEqual(3_000);
    expect(time.monotonicMs()).toBeLessThan(3_200);
    // None, and a limit for what comes later.
    const before = time.monotonicMs();
    await store.put(freshKey(), new Uint8Array(50 * MiB));
    expect(time.monotonicMs()).toBe(before);
    hours.to = Infinity;
    await store.put(freshKey(), new Uint8Array(2 * MiB));
    expect(time.monotonicMs() - before).toBeGreaterThanOrEqual(1_890);
    expect(time.monotonicMs() - before).toBeLessThan(2_100);
  });

  it('does not count twice what the store asked for piece by piece', async () => {
    const time = new VirtualTime();
    const paces: number[] = [];
    class Pacing extends MemoryStore {
      override async put(key: ObjectKey, body: Uint8Array, options: CallOptions = {}): Promise<void> {
        for (let at = 0; at < body.length; at += 65_536) {
          await options.pace?.(Math.min(65_536, body.length - at));
          paces.push(time.monotonicMs());
        }
        await super.put(key, body, options);
      }
    }
    const store = new ThrottledStore(new Pacing(time), { clock: time, timer: time, uploadBytesPerS: MiB });
    await store.put(freshKey(), new Uint8Array(2 * MiB));
    expect(time.monotonicMs()).toBeGreaterThanOrEqual(1_890);
    expect(time.monotonicMs()).toBeLessThan(2_100);
    // Evenly: after half of the pieces half of the time has passed.
    expect(paces[15]).toBeGreaterThan(800);
    expect(paces[15]).toBeLessThan(1_100);
  });

  it('stops waiting when the signal fires', async () => {
    const time = new VirtualTime();
    const controller = new AbortController();
    const store = new ThrottledStore(new MemoryStore(time), { clock: time, timer: time, uploadBytesPerS: 1_000 });
    const put = store.put(freshKey(), new Uint8Array(MiB), { signal: controller.signal });
    setImmediate(() => controller.abort());
    await expect(put).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(time.monotonicMs()).toBeLessThan(10_000);
  });
});

describe('RateLimiter', () => {
  it('never grants more than its rate allows, nor much less', async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 60_000 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 20_000, max: 10_000_000 }), async (wanted, rate) => {
        const time = new VirtualTime();
        const limiter = new RateLimiter(rate, time, time);
        await Promise.all(wanted.map((bytes) => limiter.take(bytes)));
        const total = wanted.reduce((sum, bytes) => sum + bytes, 0);
        const passedMs = time.monotonicMs();
        expect(total).toBeLessThanOrEqual((rate * passedMs) / 1000 + Math.max(1, rate / 10) + 1);
        // Each wait is rounded up to a whole millisecond.
        const pieces = wanted.reduce(
          (sum, bytes) => sum + Math.ceil(bytes / Math.max(1, Math.min(16_384, rate / 10)) + 1),
          0,
        );
        expect(passedMs).toBeLessThanOrEqual((total / rate) * 1000 + 2 * pieces + 1);
      }),
      { numRuns: 30, endOnFailure: true },
    );
  });

  it('lets callers take turns', async () => {
    const time = new VirtualTime();
    const limiter = new RateLimiter(MiB, time, time);
    const ends: number[] = [];
    const take = async (bytes: number): Promise<void> => {
      await limiter.take(bytes);
      ends.push(time.monotonicMs());
    };
    const large = take(10 * MiB);
    await take(256 * 1024);
    // Alone it would have taken a quarter of a second, beside another twice as long; never the ten of the large one.
    expect(ends[0]).toBeLessThan(700);
    await large;
    expect(ends[1]).toBeGreaterThan(10_000);
  });

  it('does not save up what was not used', async () => {
    const time = new VirtualTime();
    const limiter = new RateLimiter(1_000, time, time);
    await time.wait(3_600_000);
    const before = time.monotonicMs();
    await limiter.take(10_000);
    expect(time.monotonicMs() - before).toBeGreaterThanOrEqual(9_900);
  });
});
