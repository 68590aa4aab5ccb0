import { CairnError, PANEL, systemErrorCode } from '@cairn/core';
import { mailSchema } from '@cairn/jobs';
import { networkOf } from '@cairn/repo-server/serving';
import { readFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { parse } from 'smol-toml';
import { z } from 'zod';

export const DEFAULT_PANEL_FILE = '/etc/cairn/panel.toml';

const PATH = z.string().refine(isAbsolute, 'must be an absolute path');
const NETWORK = z.string().refine((text) => networkOf(text) !== undefined, 'must be an address or a network');
/** Short enough that `key-export-NAME` is a name of a job. */
const REPOSITORY_NAME = /^[a-z0-9][a-z0-9-]{0,49}$/;
const USER = z.union([z.int().min(0), z.string().min(1)]);

/** One repository that the panel manages. */
const REPOSITORY = z.strictObject({
  name: z.string().regex(REPOSITORY_NAME, 'must be small letters, digits and hyphens'),
  address: z.string().min(1),
  'key-file': PATH,
  'passphrase-file': PATH.optional(),
  'credentials-file': PATH.optional(),
});

const PANEL_FILE = z.strictObject({
  /** HOST:PORT, or `unix:` and the path of a socket. */
  listen: z.string().default('127.0.0.1:8787'),
  'state-directory': PATH.default('/var/lib/cairn'),
  'jobs-directory': PATH.default('/etc/cairn/jobs'),
  /** What a browser shows as the address of the panel; with https, cookies are for https alone. */
  'public-url': z.url({ protocol: /^https?$/ }).optional(),
  /** Networks that may ask anything; empty: all. */
  allow: z.array(NETWORK).default([]),
  /** Proxies that are believed what they say of a client's address. */
  proxies: z.array(NETWORK).default([]),
  /** Of one account; an address from which nobody is logged in has a tenth of it. */
  'requests-per-minute': z.int().min(60).max(1_000_000_000).default(PANEL.requestsPerMinute),
  repositories: z.array(REPOSITORY).default([]),
  /** Where notices go: as `[alerts.mail]` of a job. */
  mail: mailSchema.optional(),
  mounts: z
    .strictObject({
      directory: PATH.default('/run/cairn/mounts'),
      uid: USER.optional(),
      gid: USER.optional(),
      umask: z
        .string()
        .regex(/^[0-7]{3,4}$/, 'must be octal digits, as in "0077"')
        .optional(),
      'allow-other': z.boolean().default(false),
    })
    .prefault({}),
});

/** What `panel.toml` says. Names are those of the file. */
export type PanelConfig = z.output<typeof PANEL_FILE>;
export type RepositoryConfig = PanelConfig['repositories'][number];

/**
 * Reads the panel's file. Rejects with `USAGE`, naming what is wrong; an unknown name is an error, for it would do nothing.
 * @param listen in place of what the file says.
 */
export async function readPanelFile(path: string, listen?: string): Promise<PanelConfig> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read the panel's file ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
      hint: 'docs/guides/panel.md shows one; name it with --panel-file.',
      cause,
    });
  }
  return panelConfigOf(path, text, listen);
}

export function panelConfigOf(path: string, text: string, listen?: string): PanelConfig {
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch (cause) {
    const [reason = ''] = cause instanceof Error ? cause.message.split('\n') : [];
    throw wrong(path, `does not parse: ${reason}`, cause);
  }
  const { success, data, error } = PANEL_FILE.safeParse({
    ...(parsed as object),
    ...(listen === undefined ? {} : { listen }),
  });
  if (!success) {
    const [issue] = error.issues;
    const place = issue?.path.map(String).join('.') ?? '';
    throw wrong(path, `${place === '' ? '' : `\`${place}\`: `}${issue?.message ?? 'is not as it must be'}`);
  }
  assertListen(path, data);
  const names = data.repositories.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw wrong(path, `has two repositories of the name ${twice}`);
  return data;
}

function wrong(path: string, how: string, cause?: unknown): CairnError {
  return new CairnError('USAGE', `the panel's file ${path}: ${how}`, {
    hint: 'docs/guides/panel.md shows what may stand there.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Where to listen. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** What `listen` means; undefined when it is no address. */
export function listenAddress(text: string): ListenAddress | undefined {
  const [, path] = /^unix:(\/.+)$/.exec(text) ?? [];
  if (path !== undefined) return { kind: 'unix', path };
  const [, host = '', port = ''] = /^(\[[0-9a-f:.]+\]|[^:/\s]+):(\d{1,5})$/i.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535) return undefined;
  return { kind: 'tcp', host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

/** Passwords must not cross a network in the open: without a proxy that has a certificate only this machine may ask. */
function assertListen(path: string, config: PanelConfig): void {
  const address = listenAddress(config.listen);
  if (address === undefined) throw wrong(path, '`listen` must be HOST:PORT or unix:/PATH');
  if (address.kind === 'unix') return;
  const { host } = address;
  const isLoopback = host === 'localhost' || host === '::1' || host.startsWith('127.');
  if (isLoopback || config.proxies.length > 0) return;
  throw wrong(path, '`listen` must be of this machine, unless `proxies` names the one that serves https');
}
