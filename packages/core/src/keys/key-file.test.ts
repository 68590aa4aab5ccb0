import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMsgpack, type Value } from '../codec/msgpack.ts';
import { type Capabilities, fingerprintOf, restrict, type Rights, SECRET_NAMES } from '../crypto/capabilities.ts';
import { label } from '../crypto/labels.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { isCairnError, type CairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { cheapSuite, SAMPLE_KEYS, SAMPLE_REPO, SAMPLE_ROOT, SAMPLE_TIME_NS } from '../testing/sample-keys.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { encodeKeyFileText, parseKeyFileText } from './key-file.ts';

const NOTES = { label: 'größe 鍵', createdNs: SAMPLE_TIME_NS };
const RIGHTS: readonly Rights[] = ['root', 'read', 'maintain', 'write'];

/** The error that `run` throws. */
function errorOf(run: () => unknown): CairnError {
  try {
    run();
  } catch (error) {
    if (isCairnError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function armoured(bytes: Uint8Array): string {
  const check = suite.sha256(label('key file'), bytes).subarray(0, 8);
  return `-----BEGIN CAIRN KEY-----\n\n${Buffer.concat([bytes, check]).toString('base64')}\n-----END CAIRN KEY-----\n`;
}

function bodyOf(text: string): Buffer {
  const lines = text.split('\n');
  return Buffer.from(lines.slice(lines.indexOf('') + 1, -2).join(''), 'base64');
}

/** All capabilities as one string, quick to compare. */
function flat(capabilities: Capabilities): string {
  const names = ['repo', 'root', 'pkD', 'pkM', ...SECRET_NAMES] as const;
  return names.map((name) => `${name} ${Buffer.from(capabilities[name] ?? []).toString('hex')}`).join('\n');
}

describe('key file', () => {
  it('writes the very text of the format page', () => {
    expect(encodeKeyFileText(suite, SAMPLE_KEYS, { label: 'é', createdNs: SAMPLE_TIME_NS })).toBe(
      `-----BEGIN CAIRN KEY-----
rights: root
repository: 00112233445566778899aabbccddeeff
fingerprint: BN5A-PSV4-6ZYN-MLIN
created: 2026-11-21T08:00:00Z

nwHEEAARIjNEVWZ3iJmqu8zd7v/EIKChoqOkpaanqKmqq6ytrq+wsbKztLW2t7i5
uru8vb6/wMDEIAEU60t4yopO7t/86JalHnDcfRRC3sYCxtNxZl3rUfUexCAHIkVG
+c5XBDlwRGmAdOah4OwXaV2VfPSn515NWM7IccDAwMDAwM8Y6gCLYxbNFaLDqSvq
i1nKuNTn
-----END CAIRN KEY-----
`,
    );
  });

  it.each(RIGHTS)('reads back what it wrote, with %s rights', (rights) => {
    const capabilities = restrict(SAMPLE_KEYS, rights);
    const text = encodeKeyFileText(suite, capabilities, NOTES);
    const keyFile = parseKeyFileText(suite, text);
    for (const name of ['repo', 'root', 'pkD', 'pkM', ...SECRET_NAMES] as const) {
      const expected = capabilities[name];
      expect(keyFile.capabilities[name] && Buffer.from(keyFile.capabilities[name]), name).toEqual(
        expected && Buffer.from(expected),
      );
    }
    expect(keyFile).toMatchObject(NOTES);
    expect(Buffer.from(keyFile.fingerprint)).toEqual(Buffer.from(fingerprintOf(suite, SAMPLE_KEYS)));
  });

  it('keeps any set of capabilities, label and time', () => {
    const secrets = fc.subarray(SECRET_NAMES.filter(() => true));
    const labels = fc.string({ unit: 'grapheme', maxLength: 300 }).filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text));
    const times = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(secrets, labels, times, (names, text, createdNs) => {
        const { repo, pkD, pkM } = SAMPLE_KEYS;
        const some: Capabilities = { repo, pkD, pkM, ...Object.fromEntries(names.map((n) => [n, SAMPLE_KEYS[n]])) };
        const keyFile = parseKeyFileText(suite, encodeKeyFileText(suite, some, { label: text, createdNs }));
        expect(Object.keys(keyFile.capabilities).sort()).toEqual(Object.keys(some).sort());
        expect(keyFile.label).toBe(text);
        expect(keyFile.createdNs).toBe(createdNs);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['write', ['root', 'skD', 'skM']],
    ['maintain', ['root', 'skD', 'idData', 'cdc']],
    ['read', ['root', 'cdc']],
  ] as const)('holds no secret beyond %s rights', (rights, absent) => {
    const text = encodeKeyFileText(suite, restrict(SAMPLE_KEYS, rights), NOTES);
    for (const haystack of [Buffer.from(text), bodyOf(text), Buffer.from(text.replaceAll('\n', ''))]) {
      for (const name of absent) {
        const secret = Buffer.from(SAMPLE_KEYS[name] ?? []);
        expect(secret).toHaveLength(32);
        for (const form of [secret, secret.subarray(0, 8), secret.toString('hex'), secret.toString('base64')]) {
          expect(haystack.includes(form), name).toBe(false);
        }
      }
    }
    // The search itself finds what is there.
    expect(bodyOf(text).includes(Buffer.from(SAMPLE_KEYS.psk ?? []))).toBe(true);
  });

  it('writes the root key and nothing derived from it', () => {
    const body = bodyOf(encodeKeyFileText(suite, SAMPLE_KEYS, NOTES));
    expect(body.includes(SAMPLE_ROOT)).toBe(true);
    for (const name of SECRET_NAMES) expect(body.includes(Buffer.from(SAMPLE_KEYS[name] ?? [])), name).toBe(false);
  });

  it.each(['root', 'write'] as const)('takes no wrong key from a %s key file changed at any byte', (rights) => {
    const original = encodeKeyFileText(suite, restrict(SAMPLE_KEYS, rights), NOTES);
    const right = flat(parseKeyFileText(suite, original).capabilities);
    const cheap = cheapSuite();
    let refused = 0;
    for (const { what, bytes } of mutationsOf(Buffer.from(original))) {
      try {
        expect(flat(parseKeyFileText(cheap, bytes.toString()).capabilities), what).toBe(right);
      } catch (error) {
        if (!isCairnError(error)) throw error;
        expect(['USAGE', 'CORRUPT'], what).toContain(error.code);
        refused += 1;
      }
    }
    // Lines for people do not count, all the rest does.
    expect(refused).toBeGreaterThan(bodyOf(original).length * 12);
  });

  it('does not mind how the text was carried', () => {
    const text = encodeKeyFileText(suite, SAMPLE_KEYS, NOTES);
    const right = parseKeyFileText(suite, text);
    for (const carried of [
      text.replaceAll('\n', '\r\n'),
      `\ufeff${text}`,
      text.replaceAll('\n', '  \n'),
      `Here it is:\n\n${text}\nGreetings\n`,
      text.trimEnd(),
      text.replace(/^(rights|fingerprint|created): .*\n/gm, ''),
    ]) {
      expect(parseKeyFileText(suite, carried)).toEqual(right);
    }
  });

  it('says what is wrong, and in which line', () => {
    const text = encodeKeyFileText(suite, SAMPLE_KEYS, NOTES);
    const lines = text.split('\n');
    const withLine = (number: number, line: string): string => lines.with(number - 1, line).join('\n');
    const cases: [string, string, RegExp][] = [
      ['', 'USAGE', /holds no key file/],
      ['hello', 'USAGE', /holds no key file/],
      [text + text, 'USAGE', /holds 2 key files/],
      [lines.slice(0, 8).join('\n'), 'CORRUPT', /cut off/],
      [withLine(3, 'repository: 00112233445566778899aabbccddeefe'), 'CORRUPT', /line 3: the repository/],
      [withLine(8, 'not base64!'), 'CORRUPT', /line 8: it has a character that is not base64/],
      [lines.toSpliced(5, 1).join('\n'), 'CORRUPT', /empty line before the key/],
      [lines.toSpliced(7, 1).join('\n'), 'CORRUPT', /checksum/],
      [withLine(8, (lines[7] ?? '').slice(1)), 'CORRUPT', /base64 is cut off/],
      [withLine(8, (lines[7] ?? '').replace(/./, 'A')), 'CORRUPT', /checksum/],
      ['x'.repeat(LIMITS.keyFileBytes + 1), 'LIMIT_EXCEEDED', /longer than/],
    ];
    for (const [given, code, message] of cases) {
      const error = errorOf(() => parseKeyFileText(suite, given));
      expect(error.message).toMatch(message);
      expect(error.code).toBe(code);
    }
    expect(errorOf(() => parseKeyFileText(suite, withLine(8, '!'))).details).toEqual({ line: 8 });
  });

  it('refuses a body with a right checksum that contradicts itself', () => {
    const other = suite.hkdf(SAMPLE_ROOT, SAMPLE_REPO, Buffer.from('another'));
    const { root = null, skD = null, skM = null, psk = null, pkD, pkM } = SAMPLE_KEYS;
    const fields = (changes: Record<number, Value>): Value[] => {
      const plain: Value[] = [1, SAMPLE_REPO, null, skD, skM, pkD, pkM, psk, null, null, null, null, null, 5, 'x'];
      for (const [at, value] of Object.entries(changes)) plain[Number(at)] = value;
      return plain;
    };
    expect(parseKeyFileText(suite, armoured(encodeMsgpack(fields({})))).label).toBe('x');
    const cases: [Value, string, RegExp][] = [
      [fields({ 0: 2 }), 'FORMAT_UNSUPPORTED', /version 2/],
      [[2], 'FORMAT_UNSUPPORTED', /version 2/],
      [[...fields({}), null], 'CORRUPT', /16 fields/],
      [fields({ 1: Buffer.alloc(15) }), 'CORRUPT', /16 bytes/],
      [fields({ 3: Buffer.alloc(31) }), 'CORRUPT', /32 bytes/],
      [fields({ 5: null }), 'CORRUPT', /public key is missing/],
      [fields({ 6: null }), 'CORRUPT', /public key is missing/],
      [fields({ 2: root }), 'CORRUPT', /root key and derived keys/],
      [fields({ 3: other }), 'CORRUPT', /do not belong/],
      [fields({ 4: other }), 'CORRUPT', /do not belong/],
      [fields({ 2: other, 3: null, 4: null, 7: null }), 'CORRUPT', /do not belong/],
      [fields({ 13: null }), 'CORRUPT', /integer/],
      [fields({ 14: Buffer.alloc(1) }), 'CORRUPT', /string/],
      [null, 'CORRUPT', /array/],
    ];
    for (const [value, code, message] of cases) {
      const error = errorOf(() => parseKeyFileText(suite, armoured(encodeMsgpack(value))));
      expect(error.message).toMatch(message);
      expect(error.code).toBe(code);
    }
    const trailing = Buffer.concat([encodeMsgpack(fields({})), Buffer.of(0xc0)]);
    expect(errorOf(() => parseKeyFileText(suite, armoured(trailing))).message).toMatch(/left over/);
  });

  it('refuses labels that would not be shown, and texts that nobody would read', () => {
    for (const bad of ['a\nb', '\u001b[31m', '\ud800']) {
      expect(errorOf(() => encodeKeyFileText(suite, SAMPLE_KEYS, { ...NOTES, label: bad })).code).toBe('USAGE');
    }
    const long = { ...NOTES, label: 'x'.repeat(LIMITS.keyFileBytes) };
    expect(errorOf(() => encodeKeyFileText(suite, SAMPLE_KEYS, long)).code).toBe('LIMIT_EXCEEDED');
  });
});
