import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { restrict } from '../crypto/capabilities.ts';
import { label } from '../crypto/labels.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { type ErrorCode, isCairnError } from '../errors.ts';
import { SAMPLE_KEYS, SAMPLE_TIME_NS, seededRandom } from '../testing/sample-keys.ts';
import { encodeBase32 } from './base32.ts';
import { recoveryText } from './recovery-text.ts';
import { checkGroups, encodeRecoveryKey, groupOf, parseRecoveryKey, pickGroups } from './recovery.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Repository uid 00112233…, root key a0 a1 … bf; made once by an implementation in another language. */
const KEY = 'AEABC-IRTIR-KWM54-ITGVL-XTG55-372BI-NCUOS-KLJVH-VCU2V-K5MVW-XK7MF-RWKZ3-JNNWW-64LTO-V3XS6-35PYL-6KZBA';

function coded(code: ErrorCode): unknown {
  return expect.toSatisfy((error) => isCairnError(error, code), code);
}

describe('recovery key', () => {
  it('is the known answer', () => {
    expect(encodeRecoveryKey(suite, SAMPLE_KEYS)).toBe(KEY);
  });

  it('gives back everything', () => {
    expect(parseRecoveryKey(suite, KEY)).toEqual({ ...SAMPLE_KEYS, repo: expect.anything(), root: expect.anything() });
    expect(Buffer.from(parseRecoveryKey(suite, KEY).repo)).toEqual(SAMPLE_KEYS.repo);
  });

  it('needs the root key', () => {
    expect(() => encodeRecoveryKey(suite, restrict(SAMPLE_KEYS, 'read'))).toThrow(coded('RIGHT_MISSING'));
  });

  it('is read however it was written down', () => {
    const right = parseRecoveryKey(suite, KEY);
    for (const typed of [
      KEY.toLowerCase(),
      KEY.replaceAll('-', ' '),
      KEY.replaceAll('-', ''),
      KEY.replaceAll('-', '\r\n'),
      KEY.replaceAll('-', ' – '),
      KEY.replaceAll('O', '0').replaceAll('I', '1').replaceAll('B', '8'),
      `\n ${KEY} \n`,
    ]) {
      expect(parseRecoveryKey(suite, typed)).toEqual(right);
    }
  });

  it('notices every character that is mistyped, and every two that changed places', () => {
    const plain = KEY.replaceAll('-', '');
    for (let at = 0; at < plain.length; at++) {
      for (const wrong of ALPHABET) {
        if (wrong === plain[at]) continue;
        const typed = plain.slice(0, at) + wrong + plain.slice(at + 1);
        // The last character carries an unused bit: half of its wrong values are no spelling at all.
        expect(() => parseRecoveryKey(suite, typed), typed).toThrow(
          expect.toSatisfy((e) => isCairnError(e, 'CORRUPT') || (at === 84 && isCairnError(e, 'USAGE'))),
        );
      }
      const swapped =
        plain.slice(0, at) +
        plain
          .slice(at, at + 2)
          .split('')
          .reverse()
          .join('') +
        plain.slice(at + 2);
      if (swapped !== plain) expect(() => parseRecoveryKey(suite, swapped), swapped).toThrow();
    }
  });

  it('refuses other lengths and characters, and names the group where it can', () => {
    const groups = KEY.split('-');
    const cases: [string, RegExp][] = [
      ['', /0 characters/],
      ['hello', /5 characters/],
      [groups.slice(1).join('-'), /80 characters/],
      [`${KEY}-AAAAA`, /90 characters/],
      [groups.with(6, 'NCUO').join('-'), /group 7: it has 84 characters/],
      [groups.with(16, '6KZBAA').join(' '), /group 17: it has 86/],
      [groups.with(3, 'IT9VL').join('-'), /group 4: "9"/],
      [groups.with(0, 'AE?BC').join('-'), /group 1: "\?"/],
      [groups.with(16, '6KZBB').join('-'), /group 17: its last character/],
    ];
    for (const [typed, message] of cases) {
      expect(() => parseRecoveryKey(suite, typed), typed).toThrow(message);
      expect(() => parseRecoveryKey(suite, typed), typed).toThrow(coded('USAGE'));
    }
  });

  it('refuses another version only when the check fits', () => {
    const payload = Buffer.alloc(53, 7);
    payload[0] = 2;
    expect(() => parseRecoveryKey(suite, encodeBase32(payload))).toThrow(coded('CORRUPT'));
    payload.set(suite.sha256(label('recovery key'), payload.subarray(0, 49)).subarray(0, 4), 49);
    expect(() => parseRecoveryKey(suite, encodeBase32(payload))).toThrow(coded('FORMAT_UNSUPPORTED'));
  });

  it('answers any text with a typed error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(() => parseRecoveryKey(suite, text)).toThrow(expect.toSatisfy((error) => isCairnError(error)));
      }),
    );
  });
});

describe('recovery text', () => {
  const sheet = { capabilities: SAMPLE_KEYS, address: 'ssh://host/srv/cairn\nX: y', createdNs: SAMPLE_TIME_NS };
  const text = recoveryText(suite, sheet);

  it('needs nothing else', () => {
    for (const part of [
      '00112233445566778899aabbccddeeff',
      'ssh://host/srv/cairn?X: y',
      'BN5A-PSV4-6ZYN-MLIN',
      '2026-11-21T08:00:00Z',
      'cairn key import',
      'cairn restore',
      '17 6KZBA',
    ]) {
      expect(text).toContain(part);
    }
    for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it('is read whole, and not when it is cut off', () => {
    expect(parseRecoveryKey(suite, text)).toEqual(parseRecoveryKey(suite, KEY));
    expect(() => parseRecoveryKey(suite, text.slice(0, text.indexOf('JNNWW')))).toThrow(/cut off/);
  });
});

describe('proof that the key was saved', () => {
  it('accepts the groups as typed, and nothing else', () => {
    expect(groupOf(KEY, 1)).toBe('AEABC');
    expect(groupOf(KEY, 17)).toBe('6KZBA');
    expect(checkGroups(KEY, [{ group: 3, text: 'kwm54 ' }])).toBe(true);
    expect(
      checkGroups(KEY, [
        { group: 7, text: 'ncu0s' },
        { group: 17, text: '6KZ-8A' },
      ]),
    ).toBe(true);
    const wrong = ['', 'NCUO', 'NCUOSA', 'NCUOT', 'CNUOS', '\u0000\u0000\u0000\u0000\u0000', 'ŎCUOS'];
    for (const text of wrong) {
      expect(checkGroups(KEY, [{ group: 7, text }]), text).toBe(false);
      expect(
        checkGroups(KEY, [
          { group: 1, text: 'AEABC' },
          { group: 7, text },
        ]),
      ).toBe(false);
      expect(
        checkGroups(KEY, [
          { group: 7, text },
          { group: 1, text: 'AEABC' },
        ]),
      ).toBe(false);
    }
    for (const group of [0, 18, -1, 1.5]) {
      expect(() => checkGroups(KEY, [{ group, text: 'AEABC' }])).toThrow(coded('USAGE'));
    }
  });

  it('asks for different groups, each in its turn', () => {
    const random = seededRandom('groups');
    const seen = new Set<number>();
    for (let i = 0; i < 300; i++) {
      const [a, b, ...more] = pickGroups(random, 2);
      expect(more).toEqual([]);
      expect(a).toBeLessThan(b ?? 0);
      seen.add(a ?? 0).add(b ?? 0);
    }
    expect([...seen].sort((a, b) => a - b)).toEqual(Array.from({ length: 17 }, (_, i) => i + 1));
    expect(pickGroups(random, 17)).toHaveLength(17);
  });
});
