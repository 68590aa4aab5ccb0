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
  const steps: RestoreStep[] = [];
  const configured = wholly && definition['config-file'] === undefined;
  for (const file of manifest.files) {
    if (file.part === 'config' && configured) steps.push(await configStep(setup, server, file, directory));
  }
  const place = definition['config-file'] === undefined ? ['-F', directory] : server.config;
  for (const file of databases) steps.push(await databaseStep(setup, server, file, place));
  return steps;
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

async function configStep(
  setup: Setup,
  server: LdapServer,
  file: ManifestFile,
  directory: string,
): Promise<RestoreStep> {
  const { tool } = server;
  const names = (await namesIn(directory)) ?? [];
  return {
    what: `configuration of slapd into ${directory}`,
    path: archivePath(setup, file),
    bytes: file.bytes,
    ...(names.length === 0 ? {} : { standing: `the configuration in ${directory}` }),
    half: `a part of the configuration in ${directory}; the one before stands beside it`,
    async apply() {
      await freshDirectory(tool, setup.definition['run-as'], directory);
      const slapadd = await requireProgram(tool.context, ['slapadd'], DEBIAN_PACKAGE);
      await give(tool, slapadd, ['-F', directory, '-n', '0'], bytesOfFile(setup, file));
    },
  };
}

async function databaseStep(
  setup: Setup,
  { tool }: LdapServer,
  file: ManifestFile,
  config: readonly string[],
): Promise<RestoreStep> {
  const { number = '', directory = '' } = file.facts;
  const names = (await namesIn(directory)) ?? [];
  return {
    what: `directory ${file.databases.join(', ')} into ${directory}`,
    path: archivePath(setup, file),
    bytes: file.bytes,
    ...(names.length === 0 ? {} : { standing: `the files in ${directory}` }),
    half: `a part of the entries in ${directory}; the files before stand beside it`,
    async apply() {
      await freshDirectory(tool, setup.definition['run-as'], directory);
      const slapadd = await requireProgram(tool.context, ['slapadd'], DEBIAN_PACKAGE);
      await give(tool, slapadd, [...config, '-n', number], bytesOfFile(setup, file));
    },
  };
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

/** What a process has open; nothing when it ended, or is of another user. */
async function openFiles(id: string): Promise<readonly string[]> {
  const links: string[] = [];
  try {
    for (const fd of await readdir(`/proc/${id}/fd`)) links.push(await readlink(`/proc/${id}/fd/${fd}`));
  } catch (error) {
    const code = systemErrorCode(error);
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'ESRCH' && code !== 'EPERM') throw error;
  }
  return links;
}
