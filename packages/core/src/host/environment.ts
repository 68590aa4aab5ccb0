import { randomBytes } from 'node:crypto';
import type { Clock, Environment, Random } from '../ports/environment.ts';

const NS_PER_MS = 1_000_000n;

/** Nanoseconds by which the fine clock may differ from the wall clock before it is set again. */
const MAX_DRIFT_NS = 2n * NS_PER_MS;

/**
 * The wall clock has milliseconds, the monotonic clock nanoseconds but no date. Counted together, and set again when
 * they come apart: after the clock was set, or the machine slept.
 */
function systemClock(): Clock {
  let offsetNs: bigint | undefined;
  return {
    nowNs() {
      const wallNs = BigInt(Date.now()) * NS_PER_MS;
      const steadyNs = process.hrtime.bigint();
      const drift = offsetNs === undefined ? undefined : steadyNs + offsetNs - wallNs;
      if (offsetNs === undefined || drift === undefined || drift > MAX_DRIFT_NS || drift < -MAX_DRIFT_NS) {
        offsetNs = wallNs - steadyNs;
      }
      return steadyNs + offsetNs;
    },
    monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  };
}

/** Small requests come from a pool, each byte used once: one call of the generator costs 3 µs, whatever it gives. */
const POOL_BYTES = 8192;
const POOLED_MOST = 64;

function systemRandom(): Random {
  let pool = Buffer.alloc(0);
  let used = 0;
  return {
    bytes(length) {
      if (length > POOLED_MOST) return new Uint8Array(randomBytes(length));
      if (used + length > pool.length) {
        pool = randomBytes(POOL_BYTES);
        used = 0;
      }
      const bytes = new Uint8Array(pool.subarray(used, used + length));
      pool.fill(0, used, used + length);
      used += length;
      return bytes;
    },
  };
}

/** This machine's clocks and the operating system's random generator. */
export const systemEnvironment: Environment = { clock: systemClock(), random: systemRandom() };
