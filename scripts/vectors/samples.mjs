// @ts-check
import { hkdf, label, sha256, x25519Public } from './page.mjs';

/** @typedef {Uint8Array} Bytes */
/** @typedef {import('../../packages/core/dist/testing/vector-form.js').Vector} Vector */
/** @typedef {readonly [name: string, vector: Vector]} Named */
/** @typedef {{ readonly [name: string]: unknown } | readonly unknown[] | string | number | bigint | boolean | null | Bytes} Shown */

export const ROOT = Buffer.from(Array.from({ length: 32 }, (_, i) => 0x20 + i));
export const REPO = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
/** 2026-11-21T08:15:02.000000007Z */
export const TIME = 1_795_248_902_000_000_007n;

/** Capability and the text in its label. */
export const DERIVED = /** @type {const} */ ({
  idData: 'id data',
  idMeta: 'id meta',
  cdc: 'cdc',
  loc: 'loc',
  log: 'log',
  psk: 'psk',
  skD: 'x25519 data',
  skM: 'x25519 meta',
});
/** @typedef {keyof typeof DERIVED} SecretName */

export const SECRETS = /** @type {Record<SecretName, Buffer>} */ (
  Object.fromEntries(Object.entries(DERIVED).map(([name, text]) => [name, hkdf(ROOT, REPO, label(text))]))
);
export const PK_D = x25519Public(SECRETS.skD);
export const PK_M = x25519Public(SECRETS.skM);
export const FINGERPRINT = sha256(label('fingerprint'), REPO, PK_D, PK_M).subarray(0, 10);

/** Everything as packages/core takes it. */
export const KEYS = { repo: REPO, root: ROOT, ...SECRETS, pkD: PK_D, pkM: PK_M };
export const LOCATION_KEYS = { repo: REPO, loc: SECRETS.loc };

/** Bytes that are the same in every run, of any number. @param {string} seed @param {number} length */
export function fixed(seed, length) {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) => sha256(Buffer.from(`${seed} ${i}`)));
  return Buffer.concat(blocks).subarray(0, length);
}

/** Where packages/core wants randomness: another row of bytes for each call. @param {string} seed */
export function fixedRandom(seed) {
  let calls = 0;
  return { bytes: (/** @type {number} */ length) => Uint8Array.from(fixed(`${seed}, call ${calls++}`, length)) };
}

/** Bytes as hex, integers beyond 2^53 as text. @param {Shown} value @returns {unknown} */
function shown(value) {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shown(/** @type {Shown} */ (part))]));
  }
  return value;
}

/** @param {string} kind @param {string} name @param {string} reason @param {Record<string, Shown>} inputs @param {Record<string, Shown>} outputs @returns {Named} */
export function ok(kind, name, reason, inputs, outputs) {
  const vector = { kind, reason, expect: 'ok', inputs: shown(inputs), outputs: shown(outputs) };
  return [`${kind}-${name}`, /** @type {Vector} */ (vector)];
}

/** @param {string} kind @param {string} name @param {string} reason @param {Record<string, Shown>} inputs @returns {Named} */
export function fail(kind, name, reason, inputs) {
  return [`${kind}-${name}`, /** @type {Vector} */ ({ kind, reason, expect: 'fail', inputs: shown(inputs) })];
}

/** A copy with one bit of byte `at` changed; from the end when negative. @param {Bytes} bytes @param {number} at */
export function flipped(bytes, at) {
  const copy = Buffer.from(bytes);
  const place = at < 0 ? copy.length + at : at;
  copy[place] = (copy[place] ?? 0) ^ 1;
  return copy;
}

/** A copy with these bytes at `at`. @param {Bytes} bytes @param {number} at @param {Bytes} value */
export function patched(bytes, at, value) {
  const copy = Buffer.from(bytes);
  copy.set(value, at);
  return copy;
}
