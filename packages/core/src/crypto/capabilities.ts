import { CairnError, invariant } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { label } from './labels.ts';

/** Names of the secrets derived from the root key, with their derivation labels (format page, section 3). */
const DERIVED = {
  idData: 'id data',
  idMeta: 'id meta',
  cdc: 'cdc',
  loc: 'loc',
  log: 'log',
  psk: 'psk',
  skD: 'x25519 data',
  skM: 'x25519 meta',
} as const;

export type SecretName = keyof typeof DERIVED;
/** Names of all secrets that follow from a root key. */
export const SECRET_NAMES = Object.keys(DERIVED) as readonly SecretName[];

/** What a key file holds. Each secret is 32 bytes, or absent. Code asks what is there, never which kind of key this is. */
export interface Capabilities extends Readonly<Partial<Record<SecretName, Uint8Array>>> {
  /** Repository uid, 16 bytes. */
  readonly repo: Uint8Array;
  readonly pkD: Uint8Array;
  readonly pkM: Uint8Array;
  /** The root key itself, only in a root key file. */
  readonly root?: Uint8Array;
}

export const RIGHTS = {
  read: ['skD', 'skM', 'psk', 'idData', 'idMeta', 'loc', 'log'],
  maintain: ['skM', 'psk', 'idMeta', 'loc', 'log'],
  write: ['psk', 'idData', 'idMeta', 'cdc', 'loc', 'log'],
} as const satisfies Record<string, readonly SecretName[]>;

/** Rights that a key file can be issued with. `root` is everything, the root key included. */
export type Rights = 'root' | keyof typeof RIGHTS;

/** Everything that follows from the 32-byte root key of the repository `repo`. */
export function deriveCapabilities(suite: CryptoSuite, root: Uint8Array, repo: Uint8Array): Capabilities {
  invariant(root.length === 32 && repo.length === 16, 'a root key has 32 bytes, a repository uid 16');
  const secrets = Object.fromEntries(
    SECRET_NAMES.map((name) => [name, suite.hkdf(root, repo, label(DERIVED[name]))]),
  ) as Record<SecretName, Uint8Array>;
  return { repo, root, ...secrets, pkD: suite.x25519Public(secrets.skD), pkM: suite.x25519Public(secrets.skM) };
}

/** The part of `from` that a key file of these rights holds. Rejects with `RIGHT_MISSING` when `from` has not all of it. */
export function restrict(from: Capabilities, rights: Rights): Capabilities {
  const { repo, pkD, pkM } = from;
  if (rights === 'root') {
    if (from.root === undefined) throw missing(rights, 'the root key');
    return from;
  }
  const secrets: Partial<Record<SecretName, Uint8Array>> = {};
  for (const name of RIGHTS[rights]) {
    const secret = from[name];
    if (secret === undefined) throw missing(rights, name);
    secrets[name] = secret;
  }
  return { repo, pkD, pkM, ...secrets };
}

function missing(rights: Rights, what: string): CairnError {
  return new CairnError('RIGHT_MISSING', `a ${rights} key cannot be made from this key: it lacks ${what}`, {
    hint: 'Use the root key or another key that holds it.',
  });
}

/** The widest rights that these capabilities amount to, for showing to people. */
export function describeRights(capabilities: Capabilities): string {
  if (capabilities.root !== undefined) return 'root';
  const names = (Object.keys(RIGHTS) as (keyof typeof RIGHTS)[]).filter((rights) =>
    RIGHTS[rights].every((name) => capabilities[name] !== undefined),
  );
  const shown = names.includes('read') ? names.filter((name) => name !== 'maintain') : names;
  return shown.length === 0 ? 'none' : shown.join('+');
}

/** The union of two key files of one repository. */
export function union(a: Capabilities, b: Capabilities): Capabilities {
  invariant(Buffer.compare(a.repo, b.repo) === 0, 'both keys are of one repository');
  return { ...a, ...b };
}

/** 10 bytes that stand for the repository's keys; shown to people, pinned by clients. */
export function fingerprintOf(suite: CryptoSuite, keys: Pick<Capabilities, 'repo' | 'pkD' | 'pkM'>): Uint8Array {
  return suite.sha256(label('fingerprint'), keys.repo, keys.pkD, keys.pkM).subarray(0, 10);
}
