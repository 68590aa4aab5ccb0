import { describe, expect, it } from 'vitest';

import { exactTime } from './times.ts';

describe('exact times', () => {
  it.each([
    [0n, '1970-01-01T00:00:00.000000000Z'],
    [1_795_248_000_123_456_789n, '2026-11-21T08:00:00.123456789Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
    [-1_000_000_000n, '1969-12-31T23:59:59.000000000Z'],
    [-9_223_372_036_854_775_808n, '1677-09-21T00:12:43.145224192Z'],
  ])('%d ns', (ns, text) => {
    expect(exactTime(ns)).toBe(text);
  });
});
