import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { counted, formatBytes, formatDuration, parseMoment, parseSize } from './format.ts';

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1024, '1.00 KiB'],
    [10_240, '10.0 KiB'],
    [102_400, '100 KiB'],
    [1_048_000, '1.00 MiB'],
    [5 * 1024 ** 4, '5.00 TiB'],
    [3000 * 1024 ** 5, '3000 PiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('of bytes are never long', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 1024 ** 5 }), (bytes) => formatBytes(bytes).length <= 9));
  });

  it.each([
    [0, '0.0 s'],
    [1234, '1.2 s'],
    [12_345, '12 s'],
    [61_000, '1 min 01 s'],
    [3_599_600, '1 h 00 min'],
    [7_500_000, '2 h 05 min'],
  ])('%d ms are %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('agree with what they count', () => {
    expect([0, 1, 1234].map((n) => counted(n, 'entry', 'entries'))).toEqual(['0 entries', '1 entry', '1,234 entries']);
  });
});

describe('sizes that people write', () => {
  it.each([
    ['0', 0],
    ['1500', 1500],
    ['1k', 1024],
    ['500M', 500 * 1024 ** 2],
    ['1.5 GiB', 1.5 * 1024 ** 3],
    ['2TB', 2 * 1024 ** 4],
    ['10B', 10],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', 'M', '-1', '1e3', '1,5G', '1 X', '1 K M', '99999999999P'])('%j is none', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});

describe('a moment as people write it', () => {
  const now = Date.UTC(2026, 10, 21, 12);

  it.each([
    ['36h', now - 36 * 3_600_000],
    ['7d', now - 7 * 86_400_000],
    ['2w', now - 14 * 86_400_000],
    ['0h', now],
    ['2026-11-21T08:00Z', Date.UTC(2026, 10, 21, 8)],
    ['2026-11-21 08:00:30Z', Date.UTC(2026, 10, 21, 8, 0, 30)],
    ['2026-11-21T08:00:30.5+01:00', Date.UTC(2026, 10, 21, 7, 0, 30, 500)],
    // What this program prints as JSON.
    ['2026-11-21T08:15:02.000000001Z', Date.UTC(2026, 10, 21, 8, 15, 2)],
    ['2026-11-21', new Date(2026, 10, 21).getTime()],
    ['2026-11-21T08:00', new Date(2026, 10, 21, 8).getTime()],
  ])('%s', (text, ms) => {
    expect(parseMoment(text, now)).toBe(ms);
  });

  it.each(['', 'yesterday', '7', '7m', '-7d', '2026-13-01', '2026-11-21T25:00', '21.11.2026', '2026-11-21T', '1e3d'])(
    '%j is none',
    (text) => {
      expect(parseMoment(text, now)).toBeUndefined();
    },
  );
});
