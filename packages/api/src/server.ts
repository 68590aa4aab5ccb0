import { CairnError, systemErrorCode, type Environment } from '@cairn/core';
import { RunStore } from '@cairn/jobs';
import type { Logger } from '@cairn/repo-server/serving';
import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { Accounts } from './accounts/accounts.ts';
import { LockOut } from './accounts/lock-out.ts';
import { Sessions } from './accounts/sessions.ts';
import { SetupLinks } from './accounts/setup-links.ts';
import { ApiTokens } from './accounts/tokens.ts';
import { Audit } from './audit/audit.ts';
import { makeBackupServices } from './backup-services.ts';
import { listenAddress, type PanelConfig } from './config/panel-file.ts';
import { ActivationNotices } from './gate/activation-notices.ts';
import { KeyExports } from './gate/key-exports.ts';
import { KeyGate } from './gate/key-gate.ts';
import { makeApp } from './http/app.ts';
import { httpListener } from './http/listener.ts';
import { openApiDocument } from './http/openapi.ts';
import { MountRecords } from './mounts/mount-records.ts';
import { MountSupervisor } from './mounts/mount-supervisor.ts';
import { OpenRepositories } from './repositories/open-repositories.ts';
import { ALL_ROUTES } from './routes/index.ts';
import type { Services } from './services.ts';
import { State } from './state/state.ts';

/** Milliseconds that requests under way get to end when the panel is stopped. */
const FAREWELL_MS = 5_000;
/** Whoever is in the socket's group may connect: the web server in front. */
const SOCKET_MODE = 0o660;

/** What the entry point brings. */
export interface PanelSurroundings {
  readonly environment: Environment;
  readonly logger: Logger;
  /** How the cairn program is started, before its verb. */
  readonly cairnCommand: readonly string[];
  /** Environment variables for stores. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  readonly checkAnswer?: Services['checkAnswer'];
}

/** A panel that listens. */
export interface RunningPanel {
  /** `http://HOST:PORT`, or `unix:/PATH`. */
  readonly address: string;
  /** While there is no account: where the first one is made, once, until it expires. */
  readonly setup: { readonly url: string; readonly secret: string; readonly expiresMs: number } | undefined;
  /** Takes no more requests, waits for those under way, and ends. */
  close(): Promise<void>;
}

/** Puts a panel together and listens. Rejects with `USAGE` when the address is taken, and as `State.open` does. */
export async function startPanel(config: PanelConfig, surroundings: PanelSurroundings): Promise<RunningPanel> {
  const { environment, logger, cairnCommand, variables = {}, checkAnswer } = surroundings;
  const state = await State.open(config['state-directory']);
  const stopping = new AbortController();
  const repositories = new OpenRepositories(config, environment, variables);
  const gate = new KeyGate(state, repositories, environment);
  const runs = new RunStore(join(config['state-directory'], 'runs'), { environment });
  const keyExports = new KeyExports({ gate, runs, repositories, environment, logger });
  const records = new MountRecords(state);
  const mounts = new MountSupervisor({ config, records, repositories, environment, cairnCommand });
  const services: Services = {
    config,
    environment,
    logger,
    state,
    accounts: new Accounts(state, environment),
    sessions: new Sessions(state, environment),
    tokens: new ApiTokens(state, environment),
    setupLinks: new SetupLinks(state, environment),
    lockOut: new LockOut(state, environment),
    audit: new Audit(state, environment.clock),
    repositories,
    gate,
    keyExports,
    runs,
    ...makeBackupServices(config, {
      ...surroundings,
      variables,
      repositories,
      runs,
      host: hostname(),
      timeZone: ownTimeZone(),
    }),
    mounts,
    cairnCommand,
    openApi: JSON.stringify(openApiDocument(ALL_ROUTES)),
    signal: stopping.signal,
    ...(checkAnswer === undefined ? {} : { checkAnswer }),
  };
  const listening = httpListener(makeApp(ALL_ROUTES, services));
  const address = await listen(listening.server, config);
  logger.info('the panel listens', { address });
  // What is left of mounts after a reboot, or after a process was killed, is cleared before anybody asks.
  const looked = mounts.list().catch((error: unknown) => {
    logger.error('the mounts could not be looked at', {
      reason: error instanceof Error ? error.message : String(error),
    });
  });
  const notices = new ActivationNotices({
    gate,
    repositories,
    logger,
    mail: config.mail,
    url: baseUrl(config, address),
    signal: stopping.signal,
  });
  notices.start();
  return {
    address,
    setup: setupOf(services, address),
    close: async () => {
      stopping.abort(new CairnError('CANCELLED', 'the panel is ended'));
      await notices.stop();
      await listening.close(FAREWELL_MS);
      await keyExports.settle();
      await looked;
      await repositories.close();
      state[Symbol.dispose]();
    },
  };
}

function ownTimeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** A link that makes an admin, for whoever may write the panel's state when nobody can log in. A running panel knows it at once. */
export async function issueSetupLink(
  config: PanelConfig,
  environment: Environment,
): Promise<NonNullable<RunningPanel['setup']>> {
  using state = await State.open(config['state-directory']);
  const { secret, expiresMs } = new SetupLinks(state, environment).issue();
  return { url: setupUrl(baseUrl(config, addressText(config)), secret), secret, expiresMs };
}

function addressText({ listen: text }: PanelConfig): string {
  return text.startsWith('unix:') ? text : `http://${text}`;
}

function setupOf({ accounts, setupLinks, config }: Services, address: string): RunningPanel['setup'] {
  if (!accounts.isEmpty()) return undefined;
  const { secret, expiresMs } = setupLinks.issue();
  return { url: setupUrl(baseUrl(config, address), secret), secret, expiresMs };
}

/** What people open; without a slash at its end. */
function baseUrl(config: PanelConfig, address: string): string {
  const base = config['public-url'] ?? (address.startsWith('unix:') ? 'http://localhost' : address);
  return base.replace(/\/$/, '');
}

/** Behind `#`: browsers send it to nobody, so no log has it. */
function setupUrl(base: string, secret: string): string {
  return `${base}/#/setup/${secret}`;
}

async function listen(server: ReturnType<typeof httpListener>['server'], config: PanelConfig): Promise<string> {
  const where = listenAddress(config.listen);
  if (where === undefined) throw new CairnError('USAGE', `cannot listen on ${config.listen}`);
  if (where.kind === 'unix') await removeDeadSocket(where.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const reason = systemErrorCode(cause) ?? String(cause);
      reject(
        new CairnError('USAGE', `cannot listen on ${config.listen}: ${reason}`, {
          hint:
            reason === 'EADDRINUSE'
              ? 'Another panel may run already; `listen` in the panel’s file says where.'
              : 'The directory of a socket must be there, and a port must be one that this account may use.',
          cause,
        }),
      );
    });
    if (where.kind === 'unix') server.listen(where.path, resolve);
    else server.listen(where.port, where.host, resolve);
  });
  if (where.kind === 'unix') {
    await chmod(where.path, SOCKET_MODE);
    return `unix:${where.path}`;
  }
  const { port } = server.address() as AddressInfo;
  return `http://${where.host.includes(':') ? `[${where.host}]` : where.host}:${port}`;
}

/** The socket of a panel that was killed stays; one that still answers is left alone, and listening then fails. */
async function removeDeadSocket(path: string): Promise<void> {
  const isSocket = await lstat(path).then(
    (stats) => stats.isSocket(),
    () => false,
  );
  if (!isSocket) return;
  const isAlive = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (!isAlive) await unlink(path);
}
