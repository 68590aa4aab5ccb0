import { readdir, readlink } from 'node:fs/promises';

import { CairnError, systemErrorCode } from '@cairn/core';

import type { DumpContext } from './dump-context.ts';
import type { OpenldapDump } from './dump-schema.ts';
import { freshDirectory, namesIn } from './hand-over.ts';
import type { ManifestFile } from './manifest.ts';
import { DEBIAN_PACKAGE, ldapServer, listLdap, type LdapServer } from './openldap-server.ts';
import { requireProgram } from './programs.ts';
import { archivePath, bytesOfFile, give, type RestoreSetup, type RestoreStep } from './restore-plan.ts';

type Setup = RestoreSetup<OpenldapDump>;

/** The directory that is built in (slapd(8) of Debian and of OpenLDAP itself differ; that of Debian). */
const CONFIG_DIRECTORY = '/etc/ldap/slapd.d';

/**
 * How a dump goes back into the files of slapd, which must not run meanwhile. Rejects with `TARGET_FAILED` when it does, with `USAGE`,
 * `PATH_MISSING`, `HOST_UNSUPPORTED` and `SOURCE_UNREADABLE`; what stands in the way is in the steps.
 */
export async function planOpenldapRestore(setup: Setup, context: DumpContext): Promise<readonly RestoreStep[]> {
  const { definition, request, manifest } = setup;
  const server = await ldapServer(definition, context);
  const directory = request.into ?? definition['config-directory'] ?? CONFIG_DIRECTORY;
  const wholly = request.databases === undefined;
  const files = manifest.files.filter(({ part }) => part === 'database');
  const databases = wholly ? files : await chosen(setup, server, files);
  for (const { facts } of databases) await assertNotOpen(facts['directory'] ?? '');
  const hasDirectory = definition['config-file'] === undefined;
  const configurations = wholly && hasDirectory ? manifest.files.filter(({ part }) => part === 'config') : [];
  const config = hasDirectory ? ['-F', directory] : server.config;
  const parts = [
    ...configurations.map((file) => configurationPart(file, directory)),
    ...databases.map((file) => databasePart(file, config)),
  ];
  return await Promise.all(parts.map((part) => stepOf(setup, server, part)));
}

/** The named databases, at the number and place that the configuration of today gives them. */
async function chosen(
  setup: Setup,
  server: LdapServer,
  files: readonly ManifestFile[],
): Promise<readonly ManifestFile[]> {
  if (setup.request.into !== undefined) {
    throw new CairnError('USAGE', 'a database alone goes where the configuration of slapd has it', {
      hint: 'Leave out --into, or restore all: then --into names a configuration directory.',
    });
  }
  const today = await listLdap(server);
  return (setup.request.databases ?? []).map((suffix) => {
    const file = files.find(({ databases }) => databases.includes(suffix));
    const now = today.find((database) => database.suffix.toLowerCase() === suffix.toLowerCase());
    if (file === undefined || now === undefined) {
      throw new CairnError('PATH_MISSING', `${file === undefined ? 'the dump' : 'slapd'} has no database ${suffix}`, {
        hint: `The dump has ${files.flatMap(({ databases }) => databases).join(', ')}.`,
      });
    }
    return { ...file, facts: { ...file.facts, number: String(now.number), directory: now.directory } };
  });
}

/** A file of the dump, and the directory that slapadd makes of it. */
interface Part {
  readonly file: ManifestFile;
  readonly directory: string;
  /** Where its configuration is and which number it has, as slapadd takes it. */
  readonly options: readonly string[];
  /** What it is, what stands there now, and what is in it when it breaks off, in words. */
  readonly what: string;
  readonly there: string;
  readonly half: string;
}

async function stepOf(setup: Setup, { tool }: LdapServer, part: Part): Promise<RestoreStep> {
  const { file, directory, options, what, there, half } = part;
  const names = (await namesIn(directory)) ?? [];
  return {
    what: `${what} into ${directory}`,
    path: archivePath(setup, file),
    bytes: file.bytes,
    ...(names.length === 0 ? {} : { standing: `the ${there} in ${directory}` }),
    half: `a part of the ${half} in ${directory}; what was there before stands beside it`,
    async apply() {
      await freshDirectory(tool, setup.definition['run-as'], directory);
      const slapadd = await requireProgram(tool.context, ['slapadd'], DEBIAN_PACKAGE);
      await give(tool, slapadd, options, bytesOfFile(setup, file));
    },
  };
}

function configurationPart(file: ManifestFile, directory: string): Part {
  const options = ['-F', directory, '-n', '0'];
  const words = { what: 'configuration of slapd', there: 'configuration', half: 'configuration' };
  return { file, directory, options, ...words };
}

function databasePart(file: ManifestFile, config: readonly string[]): Part {
  const { number = '', directory = '' } = file.facts;
  const words = { what: `directory ${file.databases.join(', ')}`, there: 'files', half: 'entries' };
  return { file, directory, options: [...config, '-n', number], ...words };
}

/** slapd must not run on files that are replaced (slapadd(8)). Seen only as root, or as the user of slapd. */
async function assertNotOpen(directory: string): Promise<void> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const id of processes) {
    for (const target of await openFiles(id)) {
      if (!target.startsWith(`${directory}/`)) continue;
      throw new CairnError('TARGET_FAILED', `process ${id} has the files of slapd in ${directory} open`, {
        hint: 'Stop slapd (`systemctl stop slapd`), restore, and start it again.',
      });
    }
  }
}

/** What a process has open. */
async function openFiles(id: string): Promise<readonly string[]> {
  const directory = `/proc/${id}/fd`;
  const links: string[] = [];
  for (const fd of (await unlessGone(readdir(directory))) ?? []) {
    const link = await unlessGone(readlink(`${directory}/${fd}`));
    if (link !== undefined) links.push(link);
  }
  return links;
}

/** Undefined for a process or a file of one that is gone meanwhile, and for a process of another user. */
async function unlessGone<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'ESRCH' && code !== 'EPERM') throw error;
    return undefined;
  }
}
