// @ts-check
/** The primitives of docs/design/format.md on `node:crypto` alone: what the vectors expect does not pass through packages/core. */
import {
  createCipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
} from 'node:crypto';

/** @typedef {Uint8Array} Bytes */

/** `L(s)`. @param {string} text */
export const label = (text) => Buffer.from(`cairn/1 ${text}\0`, 'latin1');

/** @param {...Bytes} parts */
export const join = (...parts) => Buffer.concat(parts);

/** @param {...Bytes} parts */
export const sha256 = (...parts) =>
  createHash('sha256')
    .update(join(...parts))
    .digest();

/** @param {Bytes} key @param {...Bytes} parts */
export const hmac = (key, ...parts) =>
  createHmac('sha256', key)
    .update(join(...parts))
    .digest();

/** @param {Bytes} ikm @param {Bytes} salt @param {Bytes} info */
export const hkdf = (ikm, salt, info, length = 32) => Buffer.from(hkdfSync('sha256', ikm, salt, info, length));

/** @param {Bytes} secret */
const privateKey = (secret) =>
  createPrivateKey({
    key: join(Buffer.from('302e020100300506032b656e04220420', 'hex'), secret),
    format: 'der',
    type: 'pkcs8',
  });

const SPKI = Buffer.from('302a300506032b656e032100', 'hex');

/** @param {Bytes} secret @param {Bytes} publicKey */
export const x25519 = (secret, publicKey) =>
  diffieHellman({
    privateKey: privateKey(secret),
    publicKey: createPublicKey({ key: join(SPKI, publicKey), format: 'der', type: 'spki' }),
  });

/** @param {Bytes} secret */
export const x25519Public = (secret) =>
  createPublicKey(privateKey(secret)).export({ format: 'der', type: 'spki' }).subarray(SPKI.length);

/** `seal(key, plaintext, aad)` with the nonce given. @param {Bytes} key @param {Bytes} nonce @param {Bytes} plaintext @param {Bytes} aad */
export function seal(key, nonce, plaintext, aad) {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(aad);
  return join(nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}

/** @param {number} value */
export function u16(value) {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

/** @param {number} value */
export function u32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** @param {number | bigint} value */
export function u64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

/** @param {bigint} value */
export function i64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}
