import { CairnError, DirectoryStore, letHeapGrow, type Clock } from '@cairn/core/server';

import { serveStdio } from '../carriers/stdio.ts';
import { isWithin } from '../clients/addresses.ts';
import { plainClient, type Client } from '../clients/client.ts';
import { shutOut, type Registry } from '../clients/registry.ts';
import { makeApp } from '../http/app.ts';
import type { Principal } from '../http/environment.ts';
import { Counters } from '../operate/counters.ts';
import { fileWriter, jsonLogger, silentLogger, type Logger } from '../operate/logger.ts';
import { GuardedHost } from '../repository/guarded-host.ts';
import { HostedRepository } from '../repository/hosted-repository.ts';
import { OpenHost } from '../repository/open-host.ts';
import { refused } from '../repository/refusal.ts';
import { ROLES, type Role } from '../roles.ts';
import { registryOf, startServer } from '../server.ts';
import { DEFAULT_SETTINGS_PATH, readSettings } from '../settings.ts';

/** What `serve` is asked for; from `cairn serve` and from `cairn-server serve`. */
export interface ServeRequest {
  readonly config?: string | undefined;
  readonly stdio?: boolean | undefined;
  readonly repo?: string | undefined;
  readonly role?: string | undefined;
  readonly client?: string | undefined;
  /** A directory of one's own, without roles. */
  readonly path?: string | undefined;
  /** With `path`: makes the folders of an empty store there. */
  readonly create?: boolean | undefined;
}

/** What a process brings. */
export interface ServeSurroundings {
  readonly clock: Clock;
  /** Lines of the log, where the server listens on a port. */
  readonly writeLog: (line: string) => void;
  /** Address of the ssh client, as sshd tells it in SSH_CONNECTION; undefined when it does not. */
  readonly sshClient: string | undefined;
  /** Fires when the server is to stop. */
  readonly signal: AbortSignal;
}

/** Serves until it is stopped, or, on standard input and output, until the client is gone. Rejects with what keeps it from it. */
export async function serve(request: ServeRequest, surroundings: ServeSurroundings): Promise<void> {
  letHeapGrow();
  if (request.stdio !== true) {
    await serveOnPort(request, surroundings);
    return;
  }
  const { identify, logger } =
    request.path === undefined
      ? await registered(request, surroundings)
      : await own(request.path, request.create === true);
  await serveStdio(
    makeApp({
      identify,
      peerAddress: (peer) => peer,
      counters: new Counters(),
      logger,
      health: async () => undefined,
      metrics: async () => {
        throw refused('there are no metrics over ssh');
      },
    }),
  );
}

async function serveOnPort(request: ServeRequest, { clock, writeLog, signal }: ServeSurroundings): Promise<void> {
  const unfit = (['repo', 'role', 'client', 'path'] as const).find((name) => request[name] !== undefined);
  if (unfit !== undefined) {
    throw new CairnError('USAGE', `--${unfit} goes with --stdio`, { hint: 'On a port, the credential says all that.' });
  }
  const settings = await readSettings(request.config ?? DEFAULT_SETTINGS_PATH);
  const server = await startServer(settings, clock, jsonLogger(clock, writeLog));
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await server.close();
}

interface Served {
  /** Asked for each request. */
  readonly identify: () => Promise<Principal>;
  readonly logger: Logger;
}

/** A directory that the account could use without a server, too. */
async function own(path: string, create: boolean): Promise<Served> {
  const host = new OpenHost(await (create ? DirectoryStore.create(path) : DirectoryStore.open(path)));
  const principal = { client: plainClient('own', path, 'maintain'), host };
  return { identify: async () => principal, logger: silentLogger };
}

async function registered(request: ServeRequest, surroundings: ServeSurroundings): Promise<Served> {
  const { clock, writeLog, sshClient } = surroundings;
  const settings = await readSettings(request.config ?? DEFAULT_SETTINGS_PATH);
  const registry = registryOf(settings, clock);
  const now = (): Promise<Client> => clientOf(registry, request, clock, sshClient);
  const { repository: name } = await now();
  const hosted = settings.repositories.get(name);
  if (hosted === undefined) throw new CairnError('USAGE', `there is no repository ${name} on this server`);
  const { logFile } = settings;
  const logger = logFile === undefined ? silentLogger : jsonLogger(clock, fileWriter(logFile, writeLog));
  const repository = await HostedRepository.open(hosted, clock, logger);
  // Again for each request: a connection may stay open for as long as it likes, and the client be revoked meanwhile.
  const identify = async (): Promise<Principal> => {
    const client = await now();
    return { client, host: new GuardedHost(repository, client) };
  };
  return { identify, logger };
}

/** The line in authorized_keys says who it is; the registry says whether that still holds. */
async function clientOf(
  registry: Registry,
  { repo, role, client: name }: ServeRequest,
  clock: Clock,
  sshClient: string | undefined,
): Promise<Client> {
  if (!ROLES.includes(role as Role) || repo === undefined) {
    throw new CairnError('USAGE', 'serve --stdio needs --repo and --role, or --path', {
      hint: `Roles are ${ROLES.join(', ')}. \`cairn-server client add\` prints the whole line for authorized_keys.`,
    });
  }
  if (name === undefined) return plainClient(`ssh ${repo} ${role}`, repo, role as Role);
  const client = await registry.named(name);
  const fits = client?.credential.kind === 'ssh' && client.repository === repo && client.role === role;
  if (client === undefined || !fits) {
    throw refused(`the client ${name} is not registered for this repository and role`, 'Ask for a new line.');
  }
  const out = shutOut(client, Number(clock.nowNs() / 1_000_000n));
  if (out !== undefined) throw refused(`the client ${name} may not come in: ${out}`);
  const known = client.addresses.length === 0 || (sshClient !== undefined && isWithin(sshClient, client.addresses));
  if (!known) throw refused(`the client ${name} may not come from this address`);
  return client;
}
