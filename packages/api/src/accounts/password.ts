import { OneAtATime, servingSuite, type Random } from '@cairn/core';
import { timingSafeEqual } from 'node:crypto';

/**
 * argon2id for passwords of the panel: OWASP's parameters for logins (Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane). Less than
 * a key slot has, which is tried out where it was stolen: here attempts are counted, and the panel's memory is bounded.
 */
const PARAMETERS = { memoryKiB: 19_456, passes: 2, lanes: 1 } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What an older or newer panel may have written; more would be a way to make this one use memory. */
const MOST = { memoryKiB: 262_144, passes: 10, lanes: 16 } as const;

const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** One at a time, off the event loop: each takes the memory above, and a whole core. */
const stretching = new OneAtATime();

/** The hash of a password, in the PHC string format. The same password gives another text each time. */
export async function hashPassword(random: Random, password: string): Promise<string> {
  const salt = random.bytes(SALT_BYTES);
  const hash = await stretch(password, salt, PARAMETERS, HASH_BYTES);
  const { memoryKiB, passes, lanes } = PARAMETERS;
  return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${lanes}$${base64(salt)}$${base64(hash)}`;
}

/** Whether the password is that of the hash. Without a hash, for an account that is not there, it takes as long and is false. */
export async function checkPassword(hash: string | undefined, password: string): Promise<boolean> {
  const { parameters, salt, expected } = parsed(hash) ?? NOBODY;
  const given = await stretch(password, salt, parameters, expected.length);
  return timingSafeEqual(given, expected) && hash !== undefined;
}

interface Hash {
  readonly parameters: { readonly memoryKiB: number; readonly passes: number; readonly lanes: number };
  readonly salt: Uint8Array;
  readonly expected: Uint8Array;
}

/** What is tried where there is no account. */
const NOBODY: Hash = {
  parameters: PARAMETERS,
  salt: new Uint8Array(SALT_BYTES),
  expected: new Uint8Array(HASH_BYTES),
};

function parsed(hash: string | undefined): Hash | undefined {
  const [, memory, passes, lanes, salt = '', expected = ''] = PHC.exec(hash ?? '') ?? [];
  if (memory === undefined) return undefined;
  const parameters = { memoryKiB: Number(memory), passes: Number(passes), lanes: Number(lanes) };
  if (parameters.memoryKiB > MOST.memoryKiB || parameters.passes > MOST.passes || parameters.lanes > MOST.lanes) {
    return undefined;
  }
  return { parameters, salt: Buffer.from(salt, 'base64'), expected: Buffer.from(expected, 'base64') };
}

async function stretch(
  password: string,
  salt: Uint8Array,
  parameters: Hash['parameters'],
  length: number,
): Promise<Uint8Array> {
  // Normal form C: the same password typed on another keyboard (Unicode Standard Annex 15).
  const bytes = Buffer.from(password.normalize('NFC'));
  try {
    return await stretching.run(() => servingSuite.argon2id(bytes, salt, parameters, length));
  } finally {
    bytes.fill(0);
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '');
}
