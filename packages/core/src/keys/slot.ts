import { CairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { ARGON2, LIMITS } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { type KeyFile, parseKeyFileText } from './key-file.ts';

/** Parameters of argon2id (RFC 9106). */
export interface KdfParameters {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

/** What every slot says of itself. Nobody has signed it: what counts is in the key file that the slot wraps. */
interface SlotNotes {
  /** Its object name: 32 hex digits. */
  readonly uid: string;
  /** Repository uid, 32 hex digits. */
  readonly repository: string;
  /** Fingerprint of the repository's keys, 20 hex digits. */
  readonly fingerprint: string;
  readonly rights: string;
  readonly label: string;
  /** RFC 3339, UTC. */
  readonly created: string;
}

/** A key file that is wrapped for a passphrase. */
export interface PassphraseSlot extends SlotNotes {
  readonly kind: 'passphrase';
  readonly kdf: KdfParameters & { readonly name: 'argon2id'; readonly salt: string };
  readonly commitment: string;
  readonly sealed: string;
}

export interface OpenPgpSlot extends SlotNotes {
  readonly kind: 'openpgp';
  /** Fingerprints of the recipients' primary keys, hex. */
  readonly recipients: readonly string[];
  readonly message: string;
}

/** A key file wrapped for somebody (format page, section 4.9). */
export type Slot = PassphraseSlot | OpenPgpSlot;

const PGP_BEGIN = '-----BEGIN PGP MESSAGE-----';
const MAX_RECIPIENTS = 64;
/** Blocks of 1 KiB that argon2id needs for each lane (RFC 9106, section 3.1). */
const BLOCKS_PER_LANE = 8;
const TAG_AND_NONCE_DIGITS = 56;

/** A slot as the bytes of its object. Rejects with `LIMIT_EXCEEDED` when they are more than a slot may have. */
export function encodeSlot(slot: Slot): Buffer {
  const bytes = Buffer.from(`${JSON.stringify({ cairn: 1, ...slot }, undefined, 2)}\n`);
  if (bytes.length > LIMITS.keyFileBytes) {
    throw new CairnError('LIMIT_EXCEEDED', `the key slot would be longer than ${LIMITS.keyFileBytes} bytes`, {
      hint: 'Use a shorter label, or fewer recipients.',
    });
  }
  return bytes;
}

/**
 * Reads a slot; nothing is computed yet. Rejects with `CORRUPT` when it is no slot, with `FORMAT_UNSUPPORTED` for another
 * version or kind, and with `LIMIT_EXCEEDED` for argon2id parameters beyond the ceilings of the format.
 */
export function parseSlot(bytes: Uint8Array): Slot {
  if (bytes.length > LIMITS.keyFileBytes) {
    throw new CairnError('LIMIT_EXCEEDED', `the key slot is longer than ${LIMITS.keyFileBytes} bytes`);
  }
  const slot = new Fields(json(bytes), 'key slot');
  const version = slot.integer('cairn');
  if (version !== 1) throw unsupported(`version ${version}`);
  const kind = slot.text('kind');
  const notes: SlotNotes = {
    uid: slot.matching('uid', /^[0-9a-f]{32}$/),
    repository: slot.matching('repository', /^[0-9a-f]{32}$/),
    fingerprint: slot.matching('fingerprint', /^[0-9a-f]{20}$/),
    rights: slot.matching('rights', /^[a-z]+(\+[a-z]+)*$/),
    label: slot.text('label'),
    created: slot.matching('created', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  };
  if (kind === 'passphrase') {
    const passphraseSlot: PassphraseSlot = {
      ...notes,
      kind,
      kdf: kdfOf(slot.object('kdf')),
      commitment: slot.matching('commitment', /^[0-9a-f]{64}$/),
      sealed: slot.matching('sealed', new RegExp(`^(?:[0-9a-f]{2}){${TAG_AND_NONCE_DIGITS / 2},}$`)),
    };
    slot.finish();
    return passphraseSlot;
  }
  if (kind === 'openpgp') {
    const recipients = slot.texts('recipients', MAX_RECIPIENTS, /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/);
    const openPgpSlot: OpenPgpSlot = { ...notes, kind, recipients, message: slot.text('message') };
    if (!openPgpSlot.message.trimStart().startsWith(PGP_BEGIN)) throw bad('key slot', 'message');
    slot.finish();
    return openPgpSlot;
  }
  throw unsupported(`kind ${JSON.stringify(kind)}`);
}

function kdfOf(kdf: Fields): PassphraseSlot['kdf'] {
  const name = kdf.text('name');
  if (name !== 'argon2id') throw unsupported(`key derivation ${JSON.stringify(name)}`);
  const parameters = {
    memoryKiB: kdf.integer('memoryKiB'),
    passes: kdf.integer('passes'),
    lanes: kdf.integer('lanes'),
  };
  const salt = kdf.matching('salt', /^[0-9a-f]{64}$/);
  kdf.finish();
  assertKdfBounds(parameters);
  return { name, ...parameters, salt };
}

/** Rejects with `LIMIT_EXCEEDED` above the ceilings of the format, and with `CORRUPT` for what argon2id cannot compute. */
export function assertKdfBounds({ memoryKiB, passes, lanes }: KdfParameters): void {
  if (memoryKiB > ARGON2.maxMemoryKiB || passes > ARGON2.maxPasses || lanes > ARGON2.maxLanes) {
    throw new CairnError(
      'LIMIT_EXCEEDED',
      `the key slot asks for ${memoryKiB} KiB, ${passes} passes and ${lanes} lanes`,
      {
        hint: `At most ${ARGON2.maxMemoryKiB} KiB, ${ARGON2.maxPasses} passes and ${ARGON2.maxLanes} lanes are allowed.`,
      },
    );
  }
  if (passes < 1 || lanes < 1 || memoryKiB < BLOCKS_PER_LANE * lanes) throw bad('kdf of the key slot', 'memoryKiB');
}

/**
 * The key file that came out of a slot, given the text that the slot wraps (the output of `gpg --decrypt` for an OpenPGP
 * slot). Rejects as `parseKeyFileText` does, and with `CORRUPT` when the key is another than the slot says.
 */
export function keyFileOfSlot(suite: CryptoSuite, slot: Slot, text: string): KeyFile {
  const keyFile = parseKeyFileText(suite, text);
  if (toHex(keyFile.capabilities.repo) !== slot.repository || toHex(keyFile.fingerprint) !== slot.fingerprint) {
    throw new CairnError('CORRUPT', `key slot ${slot.uid} holds another key than it says`, {
      hint: 'Do not use it: remove it, unless you know why.',
    });
  }
  return keyFile;
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new CairnError('CORRUPT', 'the key slot does not parse: it is not JSON in UTF-8', { cause });
  }
}

/** The fields of one JSON object, each asked for once; `finish` refuses what nobody asked for. */
class Fields {
  private readonly fields: Map<string, unknown>;
  private readonly what: string;

  constructor(value: unknown, what: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new CairnError('CORRUPT', `the ${what} does not parse: it is not a JSON object`);
    }
    this.fields = new Map(Object.entries(value));
    this.what = what;
  }

  private take(name: string): unknown {
    const value = this.fields.get(name);
    this.fields.delete(name);
    return value;
  }

  text(name: string): string {
    const value = this.take(name);
    if (typeof value !== 'string') throw bad(this.what, name);
    return value;
  }

  matching(name: string, pattern: RegExp): string {
    const value = this.text(name);
    if (!pattern.test(value)) throw bad(this.what, name);
    return value;
  }

  integer(name: string): number {
    const value = this.take(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw bad(this.what, name);
    return value;
  }

  texts(name: string, most: number, pattern: RegExp): string[] {
    const value = this.take(name);
    if (!Array.isArray(value) || value.length === 0 || value.length > most) throw bad(this.what, name);
    return value.map((item: unknown) => {
      if (typeof item !== 'string' || !pattern.test(item)) throw bad(this.what, name);
      return item;
    });
  }

  object(name: string): Fields {
    return new Fields(this.take(name), `${name} of the ${this.what}`);
  }

  finish(): void {
    const [extra] = this.fields.keys();
    if (extra !== undefined) throw bad(this.what, extra);
  }
}

function bad(what: string, field: string): CairnError {
  return new CairnError('CORRUPT', `the ${what} does not parse: field ${JSON.stringify(field)} is not as it must be`, {
    hint: 'Use another slot, a key file or the recovery key.',
  });
}

function unsupported(what: string): CairnError {
  return new CairnError('FORMAT_UNSUPPORTED', `the key slot has ${what}, which this program does not know`, {
    hint: 'Use a newer program, or another slot.',
  });
}
