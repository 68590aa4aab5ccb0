import * as nodeCrypto from 'node:crypto';

import { makeCutter, plainCutter, wasmCutter } from './chunker/cutter.ts';
import { nodeSuite } from './crypto/node-suite.ts';
import { isCairnError } from './errors.ts';
import { AT_FDCWD, statAt } from './host/at-calls.ts';
import type { CryptoSuite } from './ports/crypto-suite.ts';
import { ENTRY_KIND } from './tree/entry.ts';
import { loadZstd } from './zstd/load.ts';

/** One thing that a machine must be able to do. */
export interface SelfTestResult {
  readonly name: string;
  /** `slow`: it works, but not with the fastest means. */
  readonly state: 'good' | 'slow' | 'failed';
  /** What was found, in a phrase. */
  readonly detail: string;
}

type Test = () => Promise<Omit<SelfTestResult, 'name'>>;

const good = (detail: string): Omit<SelfTestResult, 'name'> => ({ state: 'good', detail });
const failed = (detail: string): Omit<SelfTestResult, 'name'> => ({ state: 'failed', detail });

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

/** Inputs and answers of the standards that define the primitives. */
const SHA256_ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'; // FIPS 180-4, example 1
const HKDF_CASE_1 = {
  ikm: hex('0b'.repeat(22)),
  salt: hex('000102030405060708090a0b0c'),
  info: hex('f0f1f2f3f4f5f6f7f8f9'),
  okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
}; // RFC 5869, appendix A.1
const X25519_EXAMPLE = {
  secret: hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
  other: hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'),
  shared: '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
}; // RFC 7748, section 6.1
const GCM_CASE_14 = 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919'; // McGrew and Viega, test case 14
const ARGON2ID_SMALL = '9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe'; // phc-winner-argon2, src/test.c

/** Bytes of the windows that engines of the chunker are compared on. */
const WINDOW_BYTES = 64 * 1024;

const TESTS: Readonly<Record<string, Test>> = {
  'system calls': testCalls,
  cryptography: testCrypto,
  'second opinion': testAgreement,
  argon2id: testArgon2id,
  chunker: testChunker,
  compression: testZstd,
};

/**
 * Tries what a backup and a restore rely on, with known answers. Nothing is written. A test that cannot be done is a failed
 * one; this never rejects.
 */
export async function selfTest(): Promise<SelfTestResult[]> {
  const results: SelfTestResult[] = [];
  for (const [name, test] of Object.entries(TESTS)) {
    try {
      results.push({ name, ...(await test()) });
    } catch (error) {
      const hint = isCairnError(error) && error.hint !== undefined ? ` ${error.hint}` : '';
      results.push({ name, ...failed(`${error instanceof Error ? error.message : String(error)}.${hint}`) });
    }
  }
  return results;
}

async function testCalls(): Promise<Omit<SelfTestResult, 'name'>> {
  const isDirectory = statAt(AT_FDCWD, '/').kind === ENTRY_KIND.directory;
  return isDirectory ? good('the C library answers') : failed('the C library answers nonsense');
}

/** What of a suite differs from the standards. */
function mistakesOf(suite: CryptoSuite): string[] {
  const zeroKey = suite.secretKey(Buffer.alloc(32));
  const { ikm, salt, info, okm } = HKDF_CASE_1;
  const answers: readonly (readonly [name: string, answer: Uint8Array, expected: string])[] = [
    ['SHA-256', suite.sha256(Buffer.from('a'), Buffer.from('bc')), SHA256_ABC],
    ['HKDF', suite.hkdf(ikm, salt, info, 42), okm],
    ['X25519', suite.x25519(X25519_EXAMPLE.secret, X25519_EXAMPLE.other), X25519_EXAMPLE.shared],
    ['AES-256-GCM', suite.encrypt(zeroKey, Buffer.alloc(12), Buffer.alloc(0), Buffer.alloc(16)), GCM_CASE_14],
  ];
  return answers.flatMap(([name, answer, expected]) => (Buffer.from(answer).equals(hex(expected)) ? [] : [name]));
}

async function testCrypto(): Promise<Omit<SelfTestResult, 'name'>> {
  const mistakes = mistakesOf(nodeSuite);
  return mistakes.length === 0
    ? good('node:crypto gives the answers of the standards')
    : failed(`node:crypto computes ${mistakes.join(', ')} wrongly`);
}

async function testAgreement(): Promise<Omit<SelfTestResult, 'name'>> {
  const { nobleSuite } = await import('./crypto/noble-suite.ts');
  const mistakes = mistakesOf(nobleSuite);
  const inputs = [Buffer.from('cairn'), Buffer.alloc(1000, 7)];
  const macs = [nodeSuite, nobleSuite].map((suite) => suite.hmac(suite.secretKey(Buffer.alloc(32, 1)), ...inputs));
  const [one, other] = macs;
  if (one === undefined || other === undefined || Buffer.compare(one, other) !== 0) mistakes.push('HMAC');
  return mistakes.length === 0
    ? good('the portable implementation agrees')
    : failed(`the portable implementation differs in ${mistakes.join(', ')}`);
}

async function testArgon2id(): Promise<Omit<SelfTestResult, 'name'>> {
  const parameters = { memoryKiB: 256, passes: 2, lanes: 1 };
  const answer = await nodeSuite.argon2id(Buffer.from('password'), Buffer.from('somesalt'), parameters, 32);
  if (!Buffer.from(answer).equals(hex(ARGON2ID_SMALL))) return failed('it computes another answer than the reference');
  if ('argon2' in nodeCrypto) return good('of Node.js');
  const { loadLibArgon2 } = await import('./crypto/lib-argon2.ts');
  if ((await loadLibArgon2()) !== undefined) return good('libargon2');
  return { state: 'slow', detail: 'in JavaScript: a passphrase takes seconds; install libargon2, or use Node.js 24.7' };
}

async function testChunker(): Promise<Omit<SelfTestResult, 'name'>> {
  const table = Int32Array.from({ length: 256 }, (_, i) => Math.imul(i + 1, 0x9e37_79b1) & 0x7fff_ffff);
  const rule = { min: 256, average: 1024, max: 4096 };
  const ends = [makeCutter, plainCutter].map((make) => {
    const cutter = make(table, rule, WINDOW_BYTES);
    const window = cutter.window().subarray(0, WINDOW_BYTES);
    window.forEach((_, i) => (window[i] = (i * i + (i >> 3)) & 0xff));
    return cutter.cut(WINDOW_BYTES).join();
  });
  if (ends[0] !== ends[1]) return failed('its engine cuts otherwise than the definition');
  if (wasmCutter(table, rule, WINDOW_BYTES) !== undefined) return good('WebAssembly cuts as the definition does');
  return { state: 'slow', detail: 'in JavaScript: the package fastcdc-wasm is not as expected' };
}

async function testZstd(): Promise<Omit<SelfTestResult, 'name'>> {
  const zstd = await loadZstd();
  const plain = Buffer.from('stone on stone '.repeat(1000));
  const frame = Buffer.from(zstd.compress(plain, 3));
  const back = zstd.decompress(frame, plain.length);
  if (back === undefined || !plain.equals(back)) return failed(`${zstd.name} does not give back what it compressed`);
  if (frame.length >= plain.length) return failed(`${zstd.name} does not compress`);
  if (zstd.name === 'wasm') return { state: 'slow', detail: 'in WebAssembly; install libzstd, or use Node.js 22.15' };
  return good(zstd.name);
}
