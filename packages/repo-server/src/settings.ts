import { CairnError, systemErrorCode } from '@cairn/core/server';
import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { parse } from 'smol-toml';

import { Table } from './settings-table.ts';
import type { HostedSettings } from './repository/hosted-repository.ts';

/** Where a server listens. */
export interface ListenSettings {
  readonly host: string;
  readonly port: number;
  /** PEM files; absent: without TLS. */
  readonly tls: { readonly certificate: string; readonly key: string } | undefined;
  /** Networks of proxies that are believed what they say of a client's address. */
  readonly proxies: readonly string[];
}

export interface ScrubSettings {
  /** Bytes a second. */
  readonly rate: number;
  /** Milliseconds from the end of one pass to the beginning of the next. */
  readonly everyMs: number;
}

/** The host-local file. No credential can change it, or what it says. */
export interface ServerSettings {
  /** The file itself. */
  readonly path: string;
  readonly stateDirectory: string;
  /** Command that `client add` writes into lines of authorized_keys. */
  readonly command: string;
  /** Lines of the log of `serve --stdio` go here, because its standard error is the client's. */
  readonly logFile: string | undefined;
  readonly listen: ListenSettings | undefined;
  readonly scrub: ScrubSettings | undefined;
  readonly repositories: ReadonlyMap<string, HostedSettings>;
}

export const DEFAULT_SETTINGS_PATH = '/etc/cairn/server.toml';

const GRACE_DEFAULT = '7d';
const RESERVE_DEFAULT = '256 MiB';

/** Reads the file (TOML 1.0). Rejects with `USAGE`, naming what is wrong; an unknown name is an error, for it would do nothing. */
export async function readSettings(path: string): Promise<ServerSettings> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read the server's file ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
      hint: 'docs/guides/server.md shows one; name it with --config.',
      cause,
    });
  }
  return settingsOf(path, text);
}

export function settingsOf(path: string, text: string): ServerSettings {
  let parsed: Record<string, unknown>;
  try {
    parsed = parse(text);
  } catch (cause) {
    const [reason = ''] = cause instanceof Error ? cause.message.split('\n') : [];
    throw new CairnError('USAGE', `the server's file ${path} does not parse: ${reason}`, {
      hint: 'It must be TOML; texts stand in quotes.',
      cause,
    });
  }
  const file = new Table(path, '', parsed);
  const stateDirectory = file.path('state', '/var/lib/cairn-server');
  const command = file.text('command', 'cairn-server');
  const logFile = file.optionalPath('log-file');
  const listen = listenOf(file.table('listen'));
  const scrub = scrubOf(file.table('scrub'));
  const repositories = new Map<string, HostedSettings>();
  for (const [name, table] of file.tables('repositories')) {
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/i.test(name))
      throw table.wrong('', 'has a name with more than letters, digits, . _ -');
    repositories.set(name, repositoryOf(name, table, stateDirectory));
  }
  file.finish();
  if (!isAbsolute(stateDirectory)) throw file.wrong('state', 'must be an absolute path');
  return { path, stateDirectory, command, logFile, listen, scrub, repositories };
}

function listenOf(table: Table | undefined): ListenSettings | undefined {
  if (table === undefined) return undefined;
  const address = table.text('address', '127.0.0.1:8390');
  const [, bracketed = '', port = ''] = /^(\[[0-9a-f:.]+\]|[^:]*):(\d{1,5})$/i.exec(address) ?? [];
  if (port === '' || Number(port) > 65_535) throw table.wrong('address', 'must be HOST:PORT');
  const host = bracketed.replace(/^\[(.*)\]$/, '$1');
  const [certificate, key] = [table.optionalPath('certificate'), table.optionalPath('key')];
  if ((certificate === undefined) !== (key === undefined)) throw table.wrong('key', 'must stand beside `certificate`');
  const tls = certificate !== undefined && key !== undefined ? { certificate, key } : undefined;
  const proxies = table.texts('proxies');
  if (tls === undefined && !isLoopback(host) && proxies.length === 0) {
    throw table.wrong(
      'address',
      'needs a `certificate` and `key`, or `proxies` that have one: everybody could read the tokens',
    );
  }
  table.finish();
  return { host, port: Number(port), tls, proxies };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}

function scrubOf(table: Table | undefined): ScrubSettings | undefined {
  if (table === undefined) return undefined;
  const scrub = { rate: table.bytes('rate', '20 MB') ?? 0, everyMs: table.duration('every', '30d') };
  if (scrub.rate < 1) throw table.wrong('rate', 'must be more than nothing');
  table.finish();
  return scrub;
}

function repositoryOf(name: string, table: Table, stateDirectory: string): HostedSettings {
  const path = table.optionalPath('path');
  if (path === undefined || !isAbsolute(path)) throw table.wrong('path', 'must be an absolute path');
  const floors = table.table('floors') ?? new Table(table.file, `${table.name}.floors`, {});
  const shareADay = floors.number('share-a-day', 1);
  if (!(shareADay > 0 && shareADay <= 1)) throw floors.wrong('share-a-day', 'must be above 0, and 1 at most');
  const settings = {
    name,
    path,
    quotaBytes: table.bytes('quota', undefined),
    reserveBytes: table.bytes('reserve', RESERVE_DEFAULT) ?? 0,
    stateDirectory: join(stateDirectory, 'repositories', name),
    floors: {
      graceMs: floors.duration('grace', GRACE_DEFAULT),
      keptArchives: floors.number('kept-archives', 1),
      shareADay,
    },
  };
  floors.finish();
  table.finish();
  return settings;
}
