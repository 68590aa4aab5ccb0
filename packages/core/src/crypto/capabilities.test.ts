import { describe, expect, it } from 'vitest';

import { isCairnError, type ErrorCode } from '../errors.ts';
import { SAMPLE_KEYS, SAMPLE_REPO, SAMPLE_ROOT, seededRandom } from '../testing/sample-keys.ts';
import {
  deriveCapabilities,
  describeRights,
  fingerprintOf,
  restrict,
  RIGHTS,
  SECRET_NAMES,
  union,
  type Capabilities,
  type Rights,
} from './capabilities.ts';
import { label } from './labels.ts';
import { nobleSuite } from './noble-suite.ts';
import { nodeSuite } from './node-suite.ts';
import { open, seal, SEAL_BYTES } from './seal.ts';

const coded = (code: ErrorCode): unknown => expect.toSatisfy((error) => isCairnError(error, code));
const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex');
const held = (keys: Capabilities): string[] => SECRET_NAMES.filter((name) => keys[name] !== undefined);

describe('capabilities', () => {
  it('follow from the root key, each another, the same by both suites', () => {
    const other = deriveCapabilities(nobleSuite, SAMPLE_ROOT, SAMPLE_REPO);
    for (const name of SECRET_NAMES) expect(hex(other[name]), name).toBe(hex(SAMPLE_KEYS[name]));
    expect(new Set(Object.values(SAMPLE_KEYS).map(hex)).size).toBe(Object.keys(SAMPLE_KEYS).length);
    expect([hex(other.pkD), hex(other.pkM)]).toEqual([hex(SAMPLE_KEYS.pkD), hex(SAMPLE_KEYS.pkM)]);
  });

  it('depend on the repository and on every bit of the root key', () => {
    const flipped = Buffer.from(SAMPLE_ROOT);
    flipped[31] = (flipped[31] ?? 0) ^ 1;
    for (const other of [
      deriveCapabilities(nodeSuite, flipped, SAMPLE_REPO),
      deriveCapabilities(nodeSuite, SAMPLE_ROOT, Buffer.alloc(16)),
    ]) {
      for (const name of SECRET_NAMES) expect(hex(other[name])).not.toBe(hex(SAMPLE_KEYS[name]));
      expect(hex(fingerprintOf(nodeSuite, other))).not.toBe(hex(fingerprintOf(nodeSuite, SAMPLE_KEYS)));
    }
    expect(() => deriveCapabilities(nodeSuite, SAMPLE_ROOT.subarray(1), SAMPLE_REPO)).toThrow(coded('INTERNAL'));
  });

  it('of a right are exactly those of the format page', () => {
    const expected: Readonly<Record<Rights, readonly string[]>> = {
      root: SECRET_NAMES,
      read: ['idData', 'idMeta', 'loc', 'log', 'psk', 'skD', 'skM'],
      maintain: ['idMeta', 'loc', 'log', 'psk', 'skM'],
      write: ['cdc', 'idData', 'idMeta', 'loc', 'log', 'psk'],
    };
    for (const rights of Object.keys(expected) as Rights[]) {
      const keys = restrict(SAMPLE_KEYS, rights);
      expect(held(keys).sort(), rights).toEqual([...expected[rights]].sort());
      expect(keys.root !== undefined, rights).toBe(rights === 'root');
      expect(hex(fingerprintOf(nodeSuite, keys))).toBe(hex(fingerprintOf(nodeSuite, SAMPLE_KEYS)));
      expect(describeRights(keys)).toBe(rights);
    }
  });

  it('can be made narrower, never wider', () => {
    const order: readonly (readonly [Rights, readonly Rights[]])[] = [
      ['root', ['root', 'read', 'maintain', 'write']],
      ['read', ['read', 'maintain']],
      ['maintain', ['maintain']],
      ['write', ['write']],
    ];
    for (const [from, allowed] of order) {
      for (const to of ['root', ...Object.keys(RIGHTS)] as Rights[]) {
        const attempt = (): Capabilities => restrict(restrict(SAMPLE_KEYS, from), to);
        if (allowed.includes(to)) expect(describeRights(attempt())).toBe(to);
        else expect(attempt, `${from} to ${to}`).toThrow(coded('RIGHT_MISSING'));
      }
    }
  });

  it('of two keys add up', () => {
    const both = union(restrict(SAMPLE_KEYS, 'maintain'), restrict(SAMPLE_KEYS, 'write'));
    expect(describeRights(both)).toBe('maintain+write');
    expect(describeRights(union(restrict(SAMPLE_KEYS, 'read'), restrict(SAMPLE_KEYS, 'write')))).toBe('read+write');
    const { repo, pkD, pkM } = SAMPLE_KEYS;
    expect(describeRights({ repo, pkD, pkM })).toBe('none');
    expect(() => union(SAMPLE_KEYS, { repo: Buffer.alloc(16), pkD, pkM })).toThrow(coded('INTERNAL'));
  });
});

describe('sealing', () => {
  it('opens what was sealed under the same key for the same purpose, and nothing else', () => {
    const random = seededRandom('seal');
    const key = nodeSuite.secretKey(Buffer.alloc(32, 1));
    const other = nodeSuite.secretKey(Buffer.alloc(32, 2));
    const aad = label('a purpose');
    for (const length of [0, 1, 1000]) {
      const plaintext = random.bytes(length + 1).subarray(1);
      const sealed = seal(nodeSuite, random, key, plaintext, aad);
      expect(sealed.length).toBe(length + SEAL_BYTES);
      expect(hex(open(nodeSuite, key, sealed, aad, 'x'))).toBe(hex(plaintext));
      expect(hex(sealed)).not.toBe(hex(seal(nodeSuite, random, key, plaintext, aad)));
      expect(() => open(nodeSuite, other, sealed, aad, 'the thing')).toThrow(/^the thing does not open/);
      expect(() => open(nodeSuite, key, sealed, label('another'), 'x')).toThrow(coded('CORRUPT'));
      for (const cut of [0, 1, SEAL_BYTES - 1, sealed.length - 1]) {
        expect(() => open(nodeSuite, key, sealed.subarray(0, cut), aad, 'x')).toThrow(coded('CORRUPT'));
      }
    }
  });
});
