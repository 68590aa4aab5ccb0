import type { Key, Message, PartialConfig, PrivateKey } from 'openpgp';

import { type Capabilities, describeRights, fingerprintOf } from '../crypto/capabilities.ts';
import { CairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';
import { encodeKeyFileText, type KeyFile, type KeyFileNotes } from './key-file.ts';
import { encodeSlot, keyFileOfSlot, type OpenPgpSlot } from './slot.ts';
import { dateOf, timeText } from './time-text.ts';
import { wipe } from './wipe.ts';

const UID_BYTES = 16;

/** A hostile message may be compressed: what it may grow to. */
const CONFIG: PartialConfig = { maxDecompressedMessageSize: LIMITS.keyFileBytes };

/**
 * Wraps a key file of these capabilities for the owners of OpenPGP certificates, any of whom can open it. The message is
 * of the oldest kind that all of them read (SEIPD version 1, RFC 9580 section 5.13.1), so that GnuPG alone recovers the key.
 * Rejects with `USAGE` for what is not a usable public key.
 */
export async function createOpenPgpSlot(
  suite: CryptoSuite,
  random: Random,
  capabilities: Capabilities,
  armoredPublicKeys: readonly string[],
  notes: KeyFileNotes,
): Promise<OpenPgpSlot> {
  const openpgp = await import('openpgp');
  const date = dateOf(notes.createdNs);
  const recipients = await readRecipients(armoredPublicKeys, date);
  const encryptionKeys = [...recipients.values()];
  const text = Buffer.from(encodeKeyFileText(suite, capabilities, notes));
  // A session key without an AEAD algorithm: else a certificate that announces AEAD would get a message gpg cannot read.
  const { data, algorithm } = await openpgp.generateSessionKey({ encryptionKeys, date });
  try {
    const message = await openpgp.createMessage({ binary: new Uint8Array(text), date });
    const slot: OpenPgpSlot = {
      uid: toHex(random.bytes(UID_BYTES)),
      repository: toHex(capabilities.repo),
      fingerprint: toHex(fingerprintOf(suite, capabilities)),
      rights: describeRights(capabilities),
      label: notes.label,
      created: timeText(notes.createdNs),
      kind: 'openpgp',
      recipients: [...recipients.keys()],
      message: await openpgp.encrypt({ message, encryptionKeys, sessionKey: { data, algorithm }, date }),
    };
    encodeSlot(slot);
    return slot;
  } finally {
    wipe(text, data);
  }
}

/** The certificates by fingerprint, each checked to be usable on that date. */
async function readRecipients(armored: readonly string[], date: Date): Promise<Map<string, Key>> {
  const { readKeys } = await import('openpgp');
  const recipients = new Map<string, Key>();
  for (const armoredKeys of armored) {
    let keys: Key[];
    try {
      keys = await readKeys({ armoredKeys });
    } catch (cause) {
      throw new CairnError('USAGE', 'this is no OpenPGP public key in text form', {
        hint: 'Export it with `gpg --armor --export NAME`.',
        cause,
      });
    }
    for (const key of keys) {
      await assertUsable(key, date);
      recipients.set(key.getFingerprint(), key);
    }
  }
  if (recipients.size === 0) throw new CairnError('USAGE', 'there is no OpenPGP public key to make a slot for');
  return recipients;
}

async function assertUsable(key: Key, date: Date): Promise<void> {
  const name = `OpenPGP key ${key.getFingerprint()}`;
  if (key.isPrivate()) {
    throw new CairnError('USAGE', `${name} is a private key`, {
      hint: 'A slot needs the public key only: `gpg --armor --export NAME`.',
    });
  }
  if (key.keyPacket.version !== 4) {
    throw new CairnError('USAGE', `${name} is of version ${key.keyPacket.version}, which GnuPG cannot use`, {
      hint: 'Use a key of version 4.',
    });
  }
  try {
    await key.getEncryptionKey(undefined, date);
  } catch (cause) {
    throw new CairnError('USAGE', `${name} cannot be encrypted to: ${cause instanceof Error ? cause.message : ''}`, {
      hint: 'It may have expired, be revoked or have no encryption subkey; export it again after you mended it.',
      cause,
    });
  }
}

/**
 * Opens a slot with an OpenPGP private key at hand. Where `gpg` holds the key, give its output to `keyFileOfSlot` instead.
 * Rejects with `USAGE` for what is no private key, and with `WRONG_KEY` when its passphrase is wrong or the slot is not
 * for it.
 */
export async function openOpenPgpSlot(
  suite: CryptoSuite,
  slot: OpenPgpSlot,
  armoredPrivateKey: string,
  passphrase?: string,
): Promise<KeyFile> {
  const openpgp = await import('openpgp');
  const privateKey = await readPrivate(armoredPrivateKey, passphrase);
  let data: Uint8Array;
  try {
    const message: Message<string> = await openpgp.readMessage({ armoredMessage: slot.message, config: CONFIG });
    const opened = await openpgp.decrypt({ message, decryptionKeys: privateKey, format: 'binary', config: CONFIG });
    data = opened.data;
  } catch (cause) {
    throw new CairnError('WRONG_KEY', `the OpenPGP key does not open key slot ${slot.uid}`, {
      hint: `The slot says that it is for ${slot.recipients.join(', ')}.`,
      cause,
    });
  }
  try {
    return keyFileOfSlot(suite, slot, Buffer.from(data.buffer, data.byteOffset, data.length).toString());
  } finally {
    wipe(data);
  }
}

async function readPrivate(armoredKey: string, passphrase: string | undefined): Promise<PrivateKey> {
  const openpgp = await import('openpgp');
  let privateKey: PrivateKey;
  try {
    privateKey = await openpgp.readPrivateKey({ armoredKey });
  } catch (cause) {
    throw new CairnError('USAGE', 'this is no OpenPGP private key in text form', { cause });
  }
  if (privateKey.isDecrypted()) return privateKey;
  try {
    return await openpgp.decryptKey({ privateKey, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (cause) {
    throw new CairnError('WRONG_KEY', 'the passphrase does not open the OpenPGP private key', { cause });
  }
}
