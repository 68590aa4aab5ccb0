import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, it } from 'vitest';

import { nobleSuite } from '../crypto/noble-suite.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { isCairnError } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Zstd } from '../ports/zstd.ts';
import { loadZstd } from '../zstd/load.ts';
import { differenceOf, VectorInputs, type Vector } from './vector-form.ts';
import { VECTOR_KINDS } from './vectors.ts';

const FOLDER = fileURLToPath(new URL('../../../../testkit/vectors', import.meta.url));
const FILES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .sort();
const VECTORS = FILES.map((name) => [name, JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Vector] as const);
let zstd: Zstd;
beforeAll(async () => {
  zstd = await loadZstd();
});

/** argon2id is the same portable code for both suites where Node has none; each answer is then computed once. */
const stretched = new Map<string, Promise<Uint8Array>>();
function rememberingArgon2(suite: CryptoSuite): CryptoSuite {
  const native = Number(process.versions.node.split('.')[0]) >= 24;
  if (native) return suite;
  return {
    ...suite,
    async argon2id(passphrase, salt, parameters, length) {
      const name = JSON.stringify([[...passphrase], [...salt], parameters, length]);
      const known = stretched.get(name) ?? suite.argon2id(passphrase, salt, parameters, length);
      stretched.set(name, known);
      // A copy, because what is given is wiped after use.
      return Uint8Array.from(await known);
    },
  };
}

/** Undefined when the vector holds, otherwise what is wrong. */
async function verify(vector: Vector, suite: CryptoSuite): Promise<string | undefined> {
  const compute = VECTOR_KINDS[vector.kind];
  if (compute === undefined) return `no such kind: ${vector.kind}`;
  const inputs = new VectorInputs(vector.inputs);
  try {
    const outputs = await compute(inputs, { suite, zstd });
    if (inputs.unused.length > 0) return `unknown inputs: ${inputs.unused.join()}`;
    return vector.expect === 'fail' ? 'it was not refused' : differenceOf(outputs, vector.outputs);
  } catch (error) {
    if (!isCairnError(error) || error.code === 'INTERNAL') throw error;
    return vector.expect === 'fail' ? undefined : `${error.code}: ${error.message}`;
  }
}

describe('the known answers', () => {
  it('are of every kind, good and, where there is anything to refuse, bad', () => {
    const kindsOf = (expectation: string): Set<string> =>
      new Set(VECTORS.filter(([, vector]) => vector.expect === expectation).map(([, { kind }]) => kind));
    expect([...kindsOf('ok')].sort()).toEqual(Object.keys(VECTOR_KINDS).sort());
    const total = ['derivation', 'public-keys', 'chunk-id', 'cdc', 'padme'];
    expect([...kindsOf('fail')].sort()).toEqual(
      Object.keys(VECTOR_KINDS)
        .filter((kind) => !total.includes(kind))
        .sort(),
    );
  });

  it('have the form of the page, and one reason each', () => {
    for (const [name, vector] of VECTORS) {
      const fields = ['kind', 'reason', 'expect', 'inputs', ...(vector.expect === 'ok' ? ['outputs'] : [])];
      expect(Object.keys(vector), name).toEqual(fields);
      expect(vector.reason, name).toMatch(/^[A-Z\d].*\.$/);
      expect(name.startsWith(vector.kind), name).toBe(true);
    }
    expect(new Set(VECTORS.map(([, { reason }]) => reason)).size).toBe(VECTORS.length);
  });
});

describe.each([nodeSuite, nobleSuite])('with the $name suite', (suite) => {
  it.each(VECTORS)('%s', async (_, vector) => {
    expect(await verify(vector, rememberingArgon2(suite))).toBeUndefined();
  });
});

describe('the verifier', () => {
  it('notices wrong outputs, and outputs that should not be', async () => {
    for (const [name, vector] of VECTORS) {
      if (vector.expect === 'fail' || vector.kind === 'key-slot' || vector.kind === 'cdc') continue;
      const wrong = Object.fromEntries(Object.keys(vector.outputs ?? {}).map((output) => [output, 'wrong']));
      expect(await verify({ ...vector, outputs: wrong }, nodeSuite), name).toBeTypeOf('string');
      expect(await verify({ ...vector, outputs: {} }, nodeSuite), name).toBeTypeOf('string');
      expect(await verify({ ...vector, expect: 'fail' }, nodeSuite), name).toBe('it was not refused');
      await expect(verify({ ...vector, inputs: {} }, nodeSuite), name).rejects.toThrow('has an input');
      const more = { ...vector.inputs, other: '00' };
      expect(await verify({ ...vector, inputs: more }, nodeSuite), name).toBe('unknown inputs: other');
    }
  });
});
