import type { Random } from '@cairn/core/server';
import { createHash } from 'node:crypto';

/**
 * A token is 32 random bytes. The server keeps its SHA-256: a slow hash, as for passwords, would be of no use, because nobody can try
 * 2²⁵⁶ of them, and it would let anybody keep the server busy. The prefix tells programs that look for leaked secrets what it is.
 */
const PREFIX = 'cairn_';

export function makeToken(random: Random): string {
  return `${PREFIX}${Buffer.from(random.bytes(32)).toString('base64url')}`;
}

/** Hex. Looking up by it takes no time that depends on the token: whoever could measure it would learn of hashes, not of tokens. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The token of an `authorization` header; undefined when it holds none. */
export function tokenOf(authorization: string | undefined): string | undefined {
  return /^Bearer (cairn_[\w-]{43})$/i.exec(authorization ?? '')?.[1];
}
