import { afterEach, describe, expect, it, vi } from 'vitest';
import { systemEnvironment } from './environment.ts';

const { clock, random } = systemEnvironment;

afterEach(() => {
  vi.useRealTimers();
});

describe('the clock', () => {
  // The two clocks are read one after the other: on a busy machine another process may run between.
  it('stays with the wall clock, finer than a millisecond', { retry: 5 }, () => {
    const readings = Array.from({ length: 1000 }, () => clock.nowNs());
    const wallNs = BigInt(Date.now()) * 1_000_000n;
    const last = readings.at(-1) ?? 0n;
    expect(last - wallNs).toBeLessThan(5_000_000n);
    expect(wallNs - last).toBeLessThan(5_000_000n);
    expect(new Set(readings).size).toBeGreaterThan(500);
  });

  it('follows when the wall clock is set', () => {
    clock.nowNs();
    vi.useFakeTimers({ now: Date.UTC(2040, 0, 1), toFake: ['Date'] });
    expect(clock.nowNs()).toBe(BigInt(Date.UTC(2040, 0, 1)) * 1_000_000n);
    vi.setSystemTime(Date.UTC(2030, 0, 1));
    expect(clock.nowNs()).toBe(BigInt(Date.UTC(2030, 0, 1)) * 1_000_000n);
  });

  it('has a monotonic side in milliseconds', async () => {
    const before = clock.monotonicMs();
    await new Promise((resolve) => setTimeout(resolve, 30));
    const passed = clock.monotonicMs() - before;
    expect(passed).toBeGreaterThan(25);
    expect(passed).toBeLessThan(5000);
  });
});

describe('random bytes', () => {
  it('have the length asked for and do not repeat', () => {
    expect(random.bytes(0)).toEqual(new Uint8Array(0));
    expect(random.bytes(33)).toHaveLength(33);
    expect(random.bytes(32)).not.toEqual(random.bytes(32));
  });
});
