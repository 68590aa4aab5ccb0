import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import * as nodeCrypto from 'node:crypto';

import { CairnError, invariant } from '../errors.ts';
import type { CryptoSuite, SecretKey } from '../ports/crypto-suite.ts';

const TAG_BYTES = 16;

/** DER around a raw X25519 key (RFC 8410): PKCS #8 for the secret half, SubjectPublicKeyInfo for the public half. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/**
 * Up to Node 22 making a KeyObject costs more than a single use saves (15.0 against 10.3 µs for sealing 4 KiB); from Node 24
 * on raw keys cost 8 µs more.
 */
const RAW_ONCE = Number(process.versions.node.split('.')[0]) < 24;

class NodeKey implements SecretKey {
  readonly suite = 'node';
  readonly material: KeyObject | Uint8Array;
  constructor(bytes: Uint8Array, once: boolean) {
    invariant(bytes.length === 32, 'a key has 32 bytes');
    this.material = once && RAW_ONCE ? bytes : createSecretKey(bytes);
  }
}

function material(key: SecretKey): KeyObject | Uint8Array {
  invariant(key instanceof NodeKey, 'the key was made by the node suite');
  return key.material;
}

function privateKey(secret: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secret]), format: 'der', type: 'pkcs8' });
}

/** `crypto.argon2` exists from Node 24.7; the types here are of Node 20. */
type Argon2 = (
  algorithm: 'argon2id',
  parameters: {
    message: Uint8Array;
    nonce: Uint8Array;
    parallelism: number;
    tagLength: number;
    memory: number;
    passes: number;
  },
  callback: (error: Error | null, result: Buffer) => void,
) => void;

function nativeArgon2(): Argon2 | undefined {
  return 'argon2' in nodeCrypto ? (nodeCrypto.argon2 as Argon2) : undefined;
}

/** The suite in use: OpenSSL through `node:crypto`. argon2id is Node's own, libargon2's or `@noble/hashes`', the first that is there. */
export const nodeSuite: CryptoSuite = {
  name: 'node',

  secretKey: (bytes, uses = 'many') => new NodeKey(bytes, uses === 'once'),

  sha256(...parts) {
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    return hash.digest();
  },

  hmac(key, ...parts) {
    const mac = createHmac('sha256', material(key));
    for (const part of parts) mac.update(part);
    return mac.digest();
  },

  hkdf: (ikm, salt, info, length = 32) => new Uint8Array(hkdfSync('sha256', ikm, salt, info, length)),

  x25519(secret, publicKey) {
    const peer = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
    try {
      return diffieHellman({ privateKey: privateKey(secret), publicKey: peer });
    } catch (cause) {
      throw new CairnError('CORRUPT', 'a public key in the repository is not usable', { cause });
    }
  },

  x25519Public(secret) {
    return createPublicKey(privateKey(secret)).export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
  },

  encrypt(key, nonce, aad, ...plaintext) {
    const length = plaintext.reduce((sum, part) => sum + part.length, 0);
    const sealed = Buffer.allocUnsafe(length + TAG_BYTES);
    this.encryptInto(key, nonce, aad, sealed, ...plaintext);
    return sealed;
  },

  encryptInto(key, nonce, aad, target, ...plaintext) {
    const cipher = createCipheriv('aes-256-gcm', material(key), nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(aad);
    let at = 0;
    for (const part of plaintext) {
      const ciphertext = cipher.update(part);
      target.set(ciphertext, at);
      at += ciphertext.length;
    }
    cipher.final();
    target.set(cipher.getAuthTag(), at);
  },

  decrypt(key, nonce, aad, sealed) {
    if (sealed.length < TAG_BYTES) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', material(key), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const plaintext = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      // OpenSSL says only "unable to authenticate": the caller knows which object this was.
      return undefined;
    }
    return plaintext;
  },

  async argon2id(passphrase, salt, parameters, length) {
    const native = nativeArgon2();
    if (native === undefined) {
      const { portableArgon2id } = await import('./portable-argon2.ts');
      return await portableArgon2id(passphrase, salt, parameters, length);
    }
    return await new Promise<Uint8Array>((resolve, reject) => {
      native(
        'argon2id',
        {
          message: passphrase,
          nonce: salt,
          parallelism: parameters.lanes,
          tagLength: length,
          memory: parameters.memoryKiB,
          passes: parameters.passes,
        },
        (error, result) => (error === null ? resolve(result) : reject(error)),
      );
    });
  },
};

/** `nodeSuite` for a program that has others to answer: where Node's own argon2id is missing, a thread does the work. */
export const servingSuite: CryptoSuite = {
  ...nodeSuite,
  async argon2id(passphrase, salt, parameters, length) {
    if (nativeArgon2() !== undefined) return await nodeSuite.argon2id(passphrase, salt, parameters, length);
    const { threadedArgon2id } = await import('./threaded-argon2.ts');
    return await threadedArgon2id(passphrase, salt, parameters, length);
  },
};
