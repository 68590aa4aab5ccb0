import { timingSafeEqual } from 'node:crypto';

import { type Capabilities, describeRights, fingerprintOf } from '../crypto/capabilities.ts';
import { label } from '../crypto/labels.ts';
import { open, seal } from '../crypto/seal.ts';
import { CairnError, invariant } from '../errors.ts';
import { toHex } from '../ids.ts';
import { ARGON2 } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';
import { encodeKeyFileText, type KeyFile, type KeyFileNotes } from './key-file.ts';
import { assertKdfBounds, encodeSlot, keyFileOfSlot, type KdfParameters, type PassphraseSlot } from './slot.ts';
import { timeText } from './time-text.ts';
import { wipe } from './wipe.ts';

const UID_BYTES = 16;
const SALT_BYTES = 32;
const KEY_BYTES = 32;

const KDF_DEFAULT: KdfParameters = { memoryKiB: ARGON2.memoryKiB, passes: ARGON2.passes, lanes: ARGON2.lanes };

export interface PassphraseSlotOptions extends KeyFileNotes {
  /** RFC 9106's second recommended option unless given. */
  readonly kdf?: KdfParameters;
  /** The least that is allowed for `kdf`. Only tests lower it, to be quick. */
  readonly kdfFloor?: KdfParameters;
}

type Head = Pick<PassphraseSlot, 'uid' | 'repository' | 'fingerprint' | 'kdf'>;

/**
 * Wraps a key file of these capabilities for a passphrase (bytes from `passphraseBytes`). The slot is not stored
 * anywhere yet. Rejects with `USAGE` for an empty passphrase or parameters below the floor, with `LIMIT_EXCEEDED` above
 * the ceilings.
 */
export async function createPassphraseSlot(
  suite: CryptoSuite,
  random: Random,
  capabilities: Capabilities,
  passphrase: Uint8Array,
  options: PassphraseSlotOptions,
): Promise<PassphraseSlot> {
  if (passphrase.length === 0) throw new CairnError('USAGE', 'the passphrase is empty');
  const kdf = options.kdf ?? KDF_DEFAULT;
  const floor = options.kdfFloor ?? KDF_DEFAULT;
  assertKdfBounds(kdf);
  if (kdf.memoryKiB < floor.memoryKiB || kdf.passes < floor.passes || kdf.lanes < floor.lanes) {
    throw new CairnError('USAGE', `${kdf.memoryKiB} KiB, ${kdf.passes} passes and ${kdf.lanes} lanes are too little`, {
      hint: `Use at least ${floor.memoryKiB} KiB, ${floor.passes} passes and ${floor.lanes} lanes.`,
    });
  }
  const head: Head = {
    uid: toHex(random.bytes(UID_BYTES)),
    repository: toHex(capabilities.repo),
    fingerprint: toHex(fingerprintOf(suite, capabilities)),
    kdf: { name: 'argon2id', ...kdf, salt: toHex(random.bytes(SALT_BYTES)) },
  };
  const header = headerOf(head);
  const text = Buffer.from(encodeKeyFileText(suite, capabilities, options));
  const stretched = await stretch(suite, head, passphrase);
  try {
    const slot: PassphraseSlot = {
      ...head,
      kind: 'passphrase',
      rights: describeRights(capabilities),
      label: options.label,
      created: timeText(options.createdNs),
      commitment: toHex(commitmentOf(suite, stretched, header)),
      sealed: toHex(seal(suite, random, suite.secretKey(stretched.subarray(0, KEY_BYTES)), text, header)),
    };
    encodeSlot(slot);
    return slot;
  } finally {
    wipe(text, stretched);
  }
}

/**
 * Tries a passphrase on a slot; undefined when it is not this slot's, the usual case when several are tried. (A damaged
 * commitment looks the same.) Rejects with `CORRUPT` when the passphrase is right and the rest is damaged, and with
 * `HOST_UNSUPPORTED` when this machine cannot do the slot's argon2id.
 */
export async function tryPassphraseSlot(
  suite: CryptoSuite,
  slot: PassphraseSlot,
  passphrase: Uint8Array,
): Promise<KeyFile | undefined> {
  assertKdfBounds(slot.kdf);
  const header = headerOf(slot);
  const stretched = await stretch(suite, slot, passphrase);
  try {
    // The commitment binds the slot to one passphrase: no ciphertext that opens under many can be made to test guesses.
    const committed = Buffer.from(slot.commitment, 'hex');
    if (!timingSafeEqual(committed, commitmentOf(suite, stretched, header))) return undefined;
    const key = suite.secretKey(stretched.subarray(0, KEY_BYTES));
    const text = open(suite, key, Buffer.from(slot.sealed, 'hex'), header, `key slot ${slot.uid}`);
    try {
      return keyFileOfSlot(suite, slot, Buffer.from(text.buffer, text.byteOffset, text.length).toString());
    } finally {
      wipe(text);
    }
  } finally {
    wipe(stretched);
  }
}

/** As `tryPassphraseSlot`, but a passphrase that is not this slot's rejects with `WRONG_KEY`. */
export async function openPassphraseSlot(
  suite: CryptoSuite,
  slot: PassphraseSlot,
  passphrase: Uint8Array,
): Promise<KeyFile> {
  const keyFile = await tryPassphraseSlot(suite, slot, passphrase);
  if (keyFile === undefined) {
    throw new CairnError('WRONG_KEY', `the passphrase does not open key slot ${slot.uid}`, {
      hint: 'Check the keyboard layout and try again; a damaged slot looks the same.',
    });
  }
  return keyFile;
}

/** `header` of the format page: everything that must not be exchanged under the sealed key. */
function headerOf(head: Head): Buffer {
  const { memoryKiB, passes, lanes, salt } = head.kdf;
  const numbers = Buffer.alloc(12);
  numbers.writeUInt32LE(memoryKiB, 0);
  numbers.writeUInt32LE(passes, 4);
  numbers.writeUInt32LE(lanes, 8);
  const names = [head.repository, head.fingerprint, head.uid].map((hex) => Buffer.from(hex, 'hex'));
  return Buffer.concat([label('slot'), ...names, numbers, Buffer.from(salt, 'hex')]);
}

function commitmentOf(suite: CryptoSuite, stretched: Uint8Array, header: Uint8Array): Uint8Array {
  return suite.hmac(suite.secretKey(stretched.subarray(KEY_BYTES)), header);
}

async function stretch(suite: CryptoSuite, { uid, kdf }: Head, passphrase: Uint8Array): Promise<Uint8Array> {
  let stretched: Uint8Array;
  try {
    stretched = await suite.argon2id(passphrase, Buffer.from(kdf.salt, 'hex'), kdf, 2 * KEY_BYTES);
  } catch (cause) {
    throw new CairnError(
      'HOST_UNSUPPORTED',
      `argon2id failed for key slot ${uid}, with ${kdf.memoryKiB} KiB of memory`,
      {
        hint: 'Use a machine with more free memory, or another slot.',
        cause,
      },
    );
  }
  invariant(stretched.length === 2 * KEY_BYTES, 'argon2id gives as many bytes as asked for');
  return stretched;
}
