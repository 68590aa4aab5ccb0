import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';

import { CairnError, invariant, systemErrorCode } from '../errors.ts';
import type { ClientState, SeenHead } from '../ports/client-state.ts';

const HEAD_FILE = 'head.json';
const FINGERPRINT_FILE = 'fingerprint';

/** Hex digits of a fingerprint of 10 bytes. */
const FINGERPRINT = /^[0-9a-f]{20}$/;

/**
 * What a client remembers of its repositories, in files of mode 0600 below `directory`: `REPOSITORY/head.json` and
 * `REPOSITORY/fingerprint`. Each is replaced whole, durably. One that does not parse is an error, never ignored: else
 * damaging it would be a way to take the memory from a client.
 */
export class DirectoryClientState implements ClientState {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Rejects with `CORRUPT` when the file does not parse, with `HOST_UNSUPPORTED` when it cannot be read. */
  async readHead(repository: string): Promise<SeenHead | undefined> {
    const path = join(this.folderOf(repository), HEAD_FILE);
    const text = await readIfAny(path);
    if (text === undefined) return undefined;
    return parseHead(text) ?? malformed(path, 'where the log of the repository stood when this machine last saw it');
  }

  /** Resolves when the head survives a power cut. Rejects with `TARGET_FAILED` when it cannot be written. */
  async writeHead(repository: string, { seq, hash }: SeenHead): Promise<void> {
    await this.replace(repository, HEAD_FILE, `${JSON.stringify({ seq, hash })}\n`);
  }

  /** The pinned fingerprint of a repository's keys, or undefined at first contact. Rejects like `readHead`. */
  async readFingerprint(repository: string): Promise<Uint8Array | undefined> {
    const path = join(this.folderOf(repository), FINGERPRINT_FILE);
    const text = (await readIfAny(path))?.trim();
    if (text === undefined) return undefined;
    return FINGERPRINT.test(text) ? Buffer.from(text, 'hex') : malformed(path, 'the fingerprint of the repository');
  }

  /** Pins the fingerprint of a repository's keys. Rejects like `writeHead`. */
  async writeFingerprint(repository: string, fingerprint: Uint8Array): Promise<void> {
    await this.replace(repository, FINGERPRINT_FILE, `${Buffer.from(fingerprint).toString('hex')}\n`);
  }

  private folderOf(repository: string): string {
    invariant(/^[0-9a-f]{32}$/.test(repository), 'a repository is named by 32 hex digits');
    return join(this.directory, repository);
  }

  private async replace(repository: string, name: string, text: string): Promise<void> {
    const folder = this.folderOf(repository);
    const path = join(folder, name);
    const fresh = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = await open(fresh, 'wx', 0o600);
      try {
        await file.writeFile(text);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, path);
    } catch (cause) {
      // What failed first tells more than that the temporary file may stay behind.
      await Promise.allSettled([unlink(fresh)]);
      throw new CairnError('TARGET_FAILED', `cannot write ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
        hint: 'This machine remembers its repositories there; check permissions and free space.',
        cause,
      });
    }
  }
}

async function readIfAny(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return undefined;
    throw new CairnError('HOST_UNSUPPORTED', `cannot read ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
      hint: 'This machine remembers its repositories there; check the permissions.',
      cause,
    });
  }
}

function parseHead(text: string): SeenHead | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('seq' in value) || !('hash' in value)) return undefined;
  const { seq, hash } = value;
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0) return undefined;
  return typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash) ? { seq, hash } : undefined;
}

function malformed(path: string, what: string): never {
  throw new CairnError('CORRUPT', `the file ${path} does not parse; it says ${what}`, {
    hint: 'Bring it back from a copy, or remove it if you are sure that the repository was not set back meanwhile.',
  });
}
