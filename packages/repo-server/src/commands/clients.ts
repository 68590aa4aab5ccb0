import { CairnError, LIMITS } from '@cairn/core/server';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';

import { networkOf } from '../clients/addresses.ts';
import { authorizedKeysLine, readPublicKey } from '../clients/authorized-keys.ts';
import { shutOut, type Credential, type RegisteredClient } from '../clients/registry.ts';
import { hashOfToken, makeToken } from '../clients/tokens.ts';
import { parseBytes, parseDuration, showBytes, showTime } from '../quantities.ts';
import { ROLES, type Role } from '../roles.ts';
import { registryOf } from '../server.ts';
import { DEFAULT_SETTINGS_PATH, readSettings } from '../settings.ts';
import type { Surroundings } from './surroundings.ts';

export interface ConfigOptions {
  readonly config?: string;
  readonly json?: boolean;
}

export interface AddOptions extends ConfigOptions {
  readonly repo: string;
  readonly role: string;
  readonly sshKey?: string;
  readonly expires?: string;
  readonly from?: readonly string[];
  readonly quota?: string;
  readonly entriesPerDay?: string;
  readonly withPacks?: boolean;
}

/** Registers a client and prints its token, which is shown this once, or its line for `authorized_keys`. */
export async function addClient(name: string, options: AddOptions, surroundings: Surroundings): Promise<void> {
  const { clock, random, print } = surroundings;
  const settings = await readSettings(options.config ?? DEFAULT_SETTINGS_PATH);
  const nowMs = Number(clock.nowNs() / 1_000_000n);
  const token = options.sshKey === undefined ? makeToken(random) : undefined;
  const credential = await credentialOf(options.sshKey, token);
  const client = clientOf(name, options, credential, nowMs);
  if (!settings.repositories.has(client.repository)) {
    throw new CairnError('USAGE', `${settings.path} has no repository ${client.repository}`, {
      hint: `Add [repositories.${client.repository}] there.`,
    });
  }
  const line =
    credential.kind === 'ssh'
      ? authorizedKeysLine(client, credential.publicKey, settings.command, configArgument(options.config))
      : undefined;
  await registryOf(settings, clock).change((clients) => {
    const before = clients.find((one) => one.name === name);
    if (before === undefined) return [...clients, client];
    if (before.revokedMs === undefined) {
      throw new CairnError('USAGE', `there is a client ${name} already`, {
        hint: 'Revoke it first, or choose another name.',
      });
    }
    return [...clients.filter((one) => one !== before), client];
  });
  if (options.json === true) {
    print(JSON.stringify({ name, ...(token === undefined ? { authorized_keys: line } : { token }) }));
    return;
  }
  print(token ?? line ?? '');
}

/** The file as sshd's shell finds it, wherever that begins. The usual place need not be named. */
function configArgument(config: string | undefined): string | undefined {
  if (config === undefined) return undefined;
  const path = resolve(config);
  return path === DEFAULT_SETTINGS_PATH ? undefined : path;
}

async function credentialOf(sshKey: string | undefined, token: string | undefined): Promise<Credential> {
  if (token !== undefined) return { kind: 'token', sha256: hashOfToken(token) };
  try {
    return { kind: 'ssh', publicKey: readPublicKey(await readFile(sshKey ?? '', 'utf8')) };
  } catch (cause) {
    if (cause instanceof CairnError) throw cause;
    throw new CairnError('USAGE', `cannot read the public key ${sshKey}: ${String(cause)}`, { cause });
  }
}

function clientOf(name: string, options: AddOptions, credential: Credential, nowMs: number): RegisteredClient {
  const wrong = (option: string, example: string): CairnError =>
    new CairnError('USAGE', `--${option} is written as in ${example}`);
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/i.test(name)) {
    throw new CairnError('USAGE', 'the name of a client has letters, digits, . _ - only');
  }
  if (!ROLES.includes(options.role as Role)) {
    throw new CairnError('USAGE', `${options.role} is no role`, { hint: `Roles are ${ROLES.join(', ')}.` });
  }
  const expires = options.expires === undefined ? undefined : parseDuration(options.expires);
  if (options.expires !== undefined && expires === undefined) throw wrong('expires', '90d');
  const quotaBytes = options.quota === undefined ? undefined : parseBytes(options.quota);
  if (options.quota !== undefined && quotaBytes === undefined) throw wrong('quota', '"500 GB"');
  const addresses = options.from ?? [];
  if (addresses.some((network) => networkOf(network) === undefined)) throw wrong('from', '192.0.2.0/24');
  const entriesPerDay = Number(options.entriesPerDay ?? LIMITS.serverEntriesPerDay);
  if (!Number.isSafeInteger(entriesPerDay) || entriesPerDay < 1) throw wrong('entries-per-day', '1000');
  return {
    name,
    repository: options.repo,
    role: options.role as Role,
    withOptions: options.withPacks === true,
    quotaBytes,
    entriesPerDay,
    expiresMs: expires === undefined ? undefined : nowMs + expires,
    addresses,
    credential,
    createdMs: nowMs,
    revokedMs: undefined,
  };
}

/** Prints the clients; never a token, of which nobody has more than the hash. */
export async function listClients(options: ConfigOptions, { clock, print }: Surroundings): Promise<void> {
  const settings = await readSettings(options.config ?? DEFAULT_SETTINGS_PATH);
  const clients = await registryOf(settings, clock).all();
  const nowMs = Number(clock.nowNs() / 1_000_000n);
  if (options.json === true) {
    print(JSON.stringify(clients.map((client) => jsonOf(client, nowMs))));
    return;
  }
  for (const client of clients) {
    const facts = [
      client.credential.kind,
      ...(client.expiresMs === undefined ? [] : [`until ${showTime(client.expiresMs)}`]),
      ...(client.addresses.length === 0 ? [] : [`from ${client.addresses.join(', ')}`]),
      ...(client.quotaBytes === undefined ? [] : [`at most ${showBytes(client.quotaBytes)}`]),
      ...(shutOut(client, nowMs) === undefined ? [] : [`shut out: ${shutOut(client, nowMs)}`]),
    ];
    print(`${client.name.padEnd(20)}  ${client.repository.padEnd(12)}  ${client.role.padEnd(8)}  ${facts.join('; ')}`);
  }
}

function jsonOf(client: RegisteredClient, nowMs: number): object {
  return {
    name: client.name,
    repository: client.repository,
    role: client.role,
    credential: client.credential.kind,
    reads_packs: client.withOptions || client.role !== 'append',
    quota_bytes: client.quotaBytes ?? null,
    entries_per_day: client.entriesPerDay,
    expires_ms: client.expiresMs ?? null,
    addresses: client.addresses,
    created_ms: client.createdMs,
    shut_out: shutOut(client, nowMs) ?? null,
  };
}

/** From now on the client is refused; a server that runs notices within a second. */
export async function revokeClient(
  name: string,
  options: ConfigOptions,
  { clock, print }: Surroundings,
): Promise<void> {
  const settings = await readSettings(options.config ?? DEFAULT_SETTINGS_PATH);
  const revokedMs = Number(clock.nowNs() / 1_000_000n);
  await registryOf(settings, clock).change((clients) => {
    if (!clients.some((client) => client.name === name)) {
      throw new CairnError('USAGE', `there is no client ${name}`, { hint: '`cairn-server client list` shows them.' });
    }
    return clients.map((client) => (client.name === name ? { ...client, revokedMs } : client));
  });
  print(options.json === true ? JSON.stringify({ name, revoked_ms: revokedMs }) : `${name} is revoked.`);
}
