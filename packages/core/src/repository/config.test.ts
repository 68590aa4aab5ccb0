import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { encodeMsgpack, type Value } from '../codec/msgpack.ts';
import { fingerprintOf, restrict } from '../crypto/capabilities.ts';
import { label } from '../crypto/labels.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { invariant, isCairnError } from '../errors.ts';
import { CHUNKER_DATA, CHUNKER_TREE, LIMITS } from '../limits.ts';
import { readOrRefuse, refusal } from '../testing/refusals.ts';
import { cheapSuite, SAMPLE_KEYS, SAMPLE_REPO, SAMPLE_TIME_NS } from '../testing/sample-keys.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { encodeConfig, readConfig, verifyConfig, type RepositoryConfig } from './config.ts';

const { log } = SAMPLE_KEYS;
invariant(log !== undefined, 'a root key has everything');
const CONFIG: RepositoryConfig = {
  repo: SAMPLE_REPO,
  fingerprint: fingerprintOf(suite, SAMPLE_KEYS),
  createdNs: SAMPLE_TIME_NS,
  features: [],
  chunkerData: CHUNKER_DATA,
  chunkerTree: CHUNKER_TREE,
};
const OBJECT = Buffer.from(encodeConfig(suite, log, CONFIG));
const DATA = [524_288, 1_048_576, 8_388_608];
const TREE = [16_384, 65_536, 524_288];
const BODY: readonly Value[] = [CONFIG.repo, CONFIG.fingerprint, SAMPLE_TIME_NS, [], DATA, TREE];

/** A config of any body, with a tag that fits: only a holder of the log key can make it. */
function forged(body: Value, change: (prefix: Buffer) => void = () => undefined, tail = Buffer.alloc(0)): Buffer {
  const encoded = Buffer.concat([encodeMsgpack(body), tail]);
  const prefix = Buffer.from('43524e430100000000000000', 'hex');
  prefix.writeUInt32LE(encoded.length, 8);
  change(prefix);
  const bytes = Buffer.concat([prefix, encoded]);
  const key = suite.secretKey(suite.hkdf(log as Uint8Array, SAMPLE_REPO, label('config')));
  return Buffer.concat([bytes, suite.hmac(key, bytes)]);
}

const verify = (object: Uint8Array): RepositoryConfig => verifyConfig(suite, SAMPLE_KEYS, object);

describe('config', () => {
  it('says what was written', () => {
    expect(verify(OBJECT)).toEqual({ ...CONFIG, repo: expect.anything(), fingerprint: expect.anything() });
    expect(readConfig(OBJECT)).toEqual(verify(OBJECT));
    expect(forged(BODY).equals(OBJECT)).toBe(true);
    const parameters = fc
      .tuple(fc.nat(8 * 1024 * 1024), fc.nat(8 * 1024 * 1024), fc.nat(8 * 1024 * 1024))
      .map((three) => three.map((value) => Math.max(1024, value)).sort((a, b) => a - b))
      .map(([min = 0, average = 0, max = 0]) => ({ min, average, max }));
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        parameters,
        parameters,
        (createdNs, chunkerData, chunkerTree) => {
          const config = { ...CONFIG, createdNs, chunkerData, chunkerTree };
          const object = encodeConfig(suite, log, config);
          expect(verify(object)).toMatchObject({ createdNs, chunkerData, chunkerTree });
          expect(Buffer.from(encodeConfig(suite, log, verify(object))).equals(object)).toBe(true);
        },
      ),
    );
  });

  it('is refused after any change, and does not upset who has no key yet', () => {
    const cheap = cheapSuite();
    for (const { what, bytes } of mutationsOf(OBJECT)) {
      expect(
        refusal(() => verifyConfig(cheap, SAMPLE_KEYS, bytes)),
        what,
      ).not.toBe('accepted');
      readOrRefuse(() => readConfig(bytes));
    }
  });

  it('is refused, though its tag fits, when a field is not as it must be', () => {
    const body = (at: number, value: Value): Value => BODY.with(at, value);
    const bad: readonly Value[] = [
      [],
      BODY.slice(1),
      [...BODY, null],
      body(0, Buffer.alloc(15)),
      body(1, Buffer.alloc(11)),
      body(1, 'a text'),
      body(2, 2n ** 63n),
      body(2, null),
      body(3, null),
      body(3, [1]),
      ...[
        [1023, 2048, 4096],
        [2048, 2047, 4096],
        [1024, 4096, 4095],
        [1024, 2048, LIMITS.chunkBytes + 1],
        [-1024, 2048, 4096],
        [1024, 2048],
        [1024, 2048, 4096, 8192],
      ].flatMap((parameters) => [body(4, parameters), body(5, parameters)]),
    ];
    for (const value of bad) expect(refusal(() => verify(forged(value)))).toBe('CORRUPT');
    for (const edge of [
      [1024, 1024, 1024],
      [1024, LIMITS.chunkBytes, LIMITS.chunkBytes],
    ]) {
      expect(refusal(() => verify(forged(body(4, edge))))).toBe('accepted');
    }
    expect(refusal(() => verify(forged(BODY, undefined, Buffer.alloc(1))))).toBe('CORRUPT');
    for (const at of [5, 6, 7]) {
      expect(refusal(() => verify(forged(BODY, (prefix) => void (prefix[at] = 1))))).toBe('CORRUPT');
    }
    const long = Array.from({ length: 2000 }, () => 'a feature with a long name, and so on');
    expect(refusal(() => verify(forged(body(3, long))))).toBe('CORRUPT');
  });

  it('of a newer program is not for this one', () => {
    expect(refusal(() => readConfig(forged(BODY, (prefix) => void (prefix[4] = 2))))).toBe('FORMAT_UNSUPPORTED');
    const features = forged(BODY.with(3, ['sparse-index', 'x']));
    expect(() => readConfig(features)).toThrow(/sparse-index, x/);
    expect(refusal(() => readConfig(features))).toBe('FORMAT_UNSUPPORTED');
  });

  it('of another repository is told from a damaged one', () => {
    const others = [{ repo: Buffer.alloc(16, 1) }, { pkD: Buffer.alloc(32, 1) }, { pkM: Buffer.alloc(32, 1) }];
    for (const other of others) {
      expect(refusal(() => verifyConfig(suite, { ...SAMPLE_KEYS, ...other }, OBJECT))).toBe('WRONG_KEY');
    }
    expect(refusal(() => verifyConfig(suite, { ...SAMPLE_KEYS, log: Buffer.alloc(32) }, OBJECT))).toBe('CORRUPT');
    for (const rights of ['root', 'read', 'maintain', 'write'] as const) {
      expect(verifyConfig(suite, restrict(SAMPLE_KEYS, rights), OBJECT).createdNs).toBe(SAMPLE_TIME_NS);
    }
    const { repo, pkD, pkM } = SAMPLE_KEYS;
    expect(() => verifyConfig(suite, { repo, pkD, pkM }, OBJECT)).toThrow(
      expect.toSatisfy((error) => isCairnError(error, 'RIGHT_MISSING')),
    );
  });
});
