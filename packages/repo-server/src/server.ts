import { CairnError, systemErrorCode, type Clock } from '@cairn/core/server';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';

import { limitAddresses } from './carriers/address-limit.ts';
import { readCertificate, watchCertificate } from './carriers/certificate.ts';
import { plainListener, tlsListener } from './carriers/listener.ts';
import { clientAddress, isWithin } from './clients/addresses.ts';
import { Registry, shutOut } from './clients/registry.ts';
import { hashOfToken, tokenOf } from './clients/tokens.ts';
import { makeApp } from './http/app.ts';
import type { Principal } from './http/environment.ts';
import { Counters } from './operate/counters.ts';
import type { Logger } from './operate/logger.ts';
import { metricsText } from './operate/metrics.ts';
import { ScrubSchedule } from './operate/scrub-schedule.ts';
import { GuardedHost } from './repository/guarded-host.ts';
import { HostedRepository } from './repository/hosted-repository.ts';
import { refused } from './repository/refusal.ts';
import type { ListenSettings, ServerSettings } from './settings.ts';

/** Milliseconds that requests under way get to end when the server is stopped. */
const FAREWELL_MS = 10_000;

/** A server that listens on a port. */
export interface RunningServer {
  /** `https://HOST:PORT` or `http://HOST:PORT`. */
  readonly address: string;
  readonly port: number;
  /** Takes no more connections, waits for requests under way, and ends. */
  close(): Promise<void>;
}

/** Milliseconds, where other than usual: see `LIMITS.serverSilenceMs` and `watchCertificate`. */
export interface ServerTimes {
  readonly uploadWindowMs?: number;
  readonly certificateLookMs?: number;
}

export function registryOf(settings: ServerSettings, clock: Clock): Registry {
  return new Registry(join(settings.stateDirectory, 'clients.json'), () => Number(clock.nowNs() / 1_000_000n));
}

/** Opens all repositories. Rejects with what is wrong with the first that cannot be served: a server does not begin with less. */
async function openRepositories(
  settings: ServerSettings,
  clock: Clock,
  logger: Logger,
): Promise<Map<string, HostedRepository>> {
  const opened = new Map<string, HostedRepository>();
  for (const [name, hosted] of settings.repositories) {
    const repository = await HostedRepository.open(hosted, clock, logger);
    opened.set(name, repository);
    logger.info('repository opened', { repository: name, entries: repository.log.seq, bytes: repository.ledger.bytes });
  }
  return opened;
}

/** Serves over HTTP as the host's file says. Rejects with `USAGE` when it says nothing of it, and as `openRepositories` does. */
export async function startServer(
  settings: ServerSettings,
  clock: Clock,
  logger: Logger,
  { uploadWindowMs, certificateLookMs }: ServerTimes = {},
): Promise<RunningServer> {
  const { listen } = settings;
  if (listen === undefined) {
    throw new CairnError('USAGE', `the server's file ${settings.path} has no [listen]`, {
      hint: 'Add one, or serve over ssh with --stdio.',
    });
  }
  const repositories = await openRepositories(settings, clock, logger);
  const registry = registryOf(settings, clock);
  const counters = new Counters();
  const scrub = new ScrubSchedule(settings.scrub, [...repositories.values()], clock, logger);
  const nowMs = (): number => Number(clock.nowNs() / 1_000_000n);
  const app = makeApp({
    identify: (authorization, address) => {
      return identify({ registry, repositories, counters, nowMs: nowMs() }, authorization, address);
    },
    peerAddress: (peer, forwarded) => clientAddress(peer, forwarded, listen.proxies),
    counters,
    logger,
    uploadWindowMs,
    health: async () => {
      for (const repository of repositories.values()) await repository.assertServing();
    },
    metrics: async ({ client }) => {
      if (client.role !== 'monitor') throw refused(`${client.name} may not read metrics: its role is ${client.role}`);
      const repository = repositories.get(client.repository);
      if (repository === undefined) return '';
      await repository.refresh();
      return metricsText(repository, counters, scrub.last(repository));
    },
  });
  const { tls } = listen;
  const certificate = tls === undefined ? undefined : await readCertificate(tls);
  const {
    server: listener,
    sayGoodbye,
    useCertificate,
  } = certificate === undefined ? plainListener(app) : tlsListener(app, certificate);
  const sockets = new Set<{ destroy(): void }>();
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  limitAddresses(listener, listen.proxies);
  await begin(listener, listen);
  const { port } = listener.address() as AddressInfo;
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  const address = `${listen.tls === undefined ? 'http' : 'https'}://${host}:${port}`;
  logger.info('serving', { address });
  scrub.start();
  const unwatch =
    tls === undefined || certificate === undefined || useCertificate === undefined
      ? undefined
      : watchCertificate(tls, certificate, useCertificate, logger, certificateLookMs);
  return {
    address,
    port,
    close: async () => {
      unwatch?.();
      scrub.stop();
      const closed = new Promise<void>((resolve) => void listener.close(() => resolve()));
      sayGoodbye();
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, FAREWELL_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function begin(listener: Server, { host, port }: ListenSettings): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(port, host, resolve);
    });
  } catch (cause) {
    throw new CairnError('USAGE', `cannot listen at ${host}:${port}: ${systemErrorCode(cause) ?? String(cause)}`, {
      hint: 'Check `address` in [listen]: whether another program listens there, and whether the machine has that address.',
      cause,
    });
  }
}

interface Parties {
  readonly registry: Registry;
  readonly repositories: ReadonlyMap<string, HostedRepository>;
  readonly counters: Counters;
  readonly nowMs: number;
}

/** Who sends a request. The answer to every wrong credential is the same. */
async function identify(
  { registry, repositories, counters, nowMs }: Parties,
  authorization: string | undefined,
  address: string,
): Promise<Principal> {
  const token = tokenOf(authorization);
  const client = token === undefined ? undefined : await registry.withToken(hashOfToken(token));
  const repository = client === undefined ? undefined : repositories.get(client.repository);
  const inside = client === undefined || client.addresses.length === 0 || isWithin(address, client.addresses);
  if (client !== undefined && repository !== undefined && inside && shutOut(client, nowMs) === undefined) {
    return { client, host: new GuardedHost(repository, client) };
  }
  counters.refusedCredentials += 1;
  throw refused('the credential is unknown, expired, revoked, or not for this address', undefined, 401);
}
