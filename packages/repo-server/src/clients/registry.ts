import { CairnError, systemErrorCode } from '@cairn/core/server';
import { mkdir, open, readFile, rename, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

import { ROLES, type Role } from '../roles.ts';
import type { Client } from './client.ts';

/** How a client proves who it is. */
export type Credential =
  { readonly kind: 'token'; readonly sha256: string } | { readonly kind: 'ssh'; readonly publicKey: string };

/** A client as it lies in the registry. */
export interface RegisteredClient extends Client {
  readonly credential: Credential;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly revokedMs: number | undefined;
}

/** Milliseconds for which the file is not looked at again: a revoked token works so long at most. */
const FRESH_MS = 1_000;

/**
 * The clients of this server, in a file that only its administrator writes. A server that runs sees changes within a second.
 */
export class Registry {
  private readonly path: string;
  private readonly nowMs: () => number;
  private clients: readonly RegisteredClient[] = [];
  private byHash = new Map<string, RegisteredClient>();
  private version = '';
  private lookedMs = Number.NEGATIVE_INFINITY;

  constructor(path: string, nowMs: () => number) {
    this.path = path;
    this.nowMs = nowMs;
  }

  /** All clients, revoked ones included. Rejects with `STORE_FAILED` when the file cannot be read. */
  async all(): Promise<readonly RegisteredClient[]> {
    const nowMs = this.nowMs();
    if (nowMs - this.lookedMs < FRESH_MS && nowMs >= this.lookedMs) return this.clients;
    await this.reload();
    this.lookedMs = nowMs;
    return this.clients;
  }

  async named(name: string): Promise<RegisteredClient | undefined> {
    return (await this.all()).find((client) => client.name === name);
  }

  /** @param sha256 of the token, hex. */
  async withToken(sha256: string): Promise<RegisteredClient | undefined> {
    await this.all();
    // A client that was added just now need not wait.
    if (!this.byHash.has(sha256)) await this.reload();
    return this.byHash.get(sha256);
  }

  /**
   * Changes the file, whole or not at all. Rejects with `STORE_FAILED` when another change is under way, and with what `change`
   * throws.
   */
  async change(change: (clients: readonly RegisteredClient[]) => readonly RegisteredClient[]): Promise<void> {
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const fresh = `${this.path}.new`;
    const file = await open(fresh, 'wx', 0o600).catch((cause: unknown) => {
      if (systemErrorCode(cause) !== 'EEXIST') throw cause;
      throw new CairnError('STORE_FAILED', `another change of the clients is under way: ${fresh} is there`, {
        hint: 'If no such command runs, remove that file.',
        cause,
      });
    });
    try {
      await this.reload();
      await file.writeFile(`${JSON.stringify({ version: 1, clients: change(this.clients) }, null, 2)}\n`);
      await file.sync();
      await giveToOwner(file, dirname(this.path));
      await rename(fresh, this.path);
    } catch (error) {
      await unlink(fresh);
      throw error;
    } finally {
      await file.close();
    }
    this.lookedMs = Number.NEGATIVE_INFINITY;
  }

  private async reload(): Promise<void> {
    let text: string;
    try {
      const { mtimeMs, ino, size } = await stat(this.path);
      const version = `${ino} ${size} ${mtimeMs}`;
      if (version === this.version) return;
      text = await readFile(this.path, 'utf8');
      this.version = version;
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') {
        this.take([]);
        return;
      }
      throw error;
    }
    this.take(parseClients(this.path, text));
  }

  private take(clients: readonly RegisteredClient[]): void {
    this.clients = clients;
    this.byHash = new Map();
    for (const client of clients) {
      if (client.credential.kind === 'token') this.byHash.set(client.credential.sha256, client);
    }
  }
}

/** Root manages clients of a server that runs as another user, who must be able to read them: the owner of the folder. */
async function giveToOwner(file: FileHandle, folder: string): Promise<void> {
  const { uid, gid } = await stat(folder);
  if (process.geteuid?.() === 0 && uid !== 0) await file.chown(uid, gid);
}

/** Why a client may not come in, or undefined. */
export function shutOut(client: RegisteredClient, nowMs: number): string | undefined {
  if (client.revokedMs !== undefined) return 'it was revoked';
  if (client.expiresMs !== undefined && client.expiresMs <= nowMs) return 'it has expired';
  return undefined;
}

function parseClients(path: string, text: string): RegisteredClient[] {
  const fail = (how: string): CairnError =>
    new CairnError('STORE_FAILED', `the file of clients ${path} ${how}`, {
      hint: 'It is written by `cairn-server client` alone; bring it back from a copy.',
    });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw fail('does not parse');
  }
  const clients = (parsed as { clients?: unknown }).clients;
  if (!Array.isArray(clients)) throw fail('holds no clients');
  return clients.map((client: Partial<RegisteredClient>) => {
    const { name, repository, role, credential } = client;
    const known = ROLES.includes(role as Role) && (credential?.kind === 'token' || credential?.kind === 'ssh');
    if (typeof name !== 'string' || typeof repository !== 'string' || !known) throw fail('holds a client that is none');
    return client as RegisteredClient;
  });
}
