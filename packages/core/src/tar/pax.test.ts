import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { decodePaxRecords, decodePaxTime, encodePaxRecords, encodePaxTime } from './pax.ts';

describe('records of an extended header', () => {
  it('count themselves, as POSIX shows it', () => {
    // POSIX.1-2017, pax: "25 ctime=1084839148.1212\n" is its example, of 25 bytes.
    expect(encodePaxRecords([['ctime', Buffer.from('1084839148.1212')]]).toString()).toBe('25 ctime=1084839148.1212\n');
    // Where the count itself has a digit more: 90 + 9 would be 99, 90 + 10 is 100 and more.
    for (let length = 85; length < 105; length++) {
      const text = encodePaxRecords([['path', Buffer.from('x'.repeat(length))]]).toString();
      expect(Number.parseInt(text, 10)).toBe(text.length);
    }
  });

  it('are read as they were written, whatever bytes they have', () => {
    const record = fc.tuple(fc.stringMatching(/^[!-<>-~]{1,40}$/), fc.uint8Array({ maxLength: 200 }));
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const pairs = records.map(([keyword, value]) => [keyword, Buffer.from(value)] as const);
        expect(decodePaxRecords(encodePaxRecords(pairs), 0)).toEqual(pairs);
      }),
    );
  });

  it('are refused when they are not so', () => {
    // No space anywhere after a good record.
    expect(() => decodePaxRecords(Buffer.from('6 a=b\n30\0c=d\n'), 0)).toThrow(/at byte 6/);
    for (const text of ['5 a=b', '6 a=b', '0 a=b\n', '-6 a=b\n', 'x', '6 ab\n\n', '99999999999 a=b\n', '3 \n']) {
      expect(() => decodePaxRecords(Buffer.from(text), 7), text).toThrow(/at byte 7/);
    }
  });
});

describe('a time', () => {
  it('is a decimal number of seconds', () => {
    const times: readonly (readonly [bigint, string])[] = [
      [0n, '0'],
      [1n, '0.000000001'],
      [-1n, '-0.000000001'],
      [1_700_000_000_123_456_789n, '1700000000.123456789'],
      [-1_500_000_000n, '-1.5'],
    ];
    for (const [ns, text] of times) {
      expect(encodePaxTime(ns)).toBe(text);
      expect(decodePaxTime(text)).toBe(ns);
    }
    expect(decodePaxTime('1.0000000019')).toBe(1_000_000_001n);
    expect(decodePaxTime('-1.0000000011')).toBe(-1_000_000_002n);
    for (const text of ['', '-', '1e5', '1.2.3', ' 1', '0x1']) expect(decodePaxTime(text)).toBeUndefined();
  });
});
