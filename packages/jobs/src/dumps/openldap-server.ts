import { CairnError } from '@cairn/core';

import type { DumpContext } from './dump-context.ts';
import type { OpenldapDump } from './dump-schema.ts';
import { DumpTool } from './dump-tool.ts';
import { entriesOf } from './ldif.ts';
import { requireProgram, type Program } from './programs.ts';

export const DEBIAN_PACKAGE = 'slapd';

/** How slapd says its version and ends: with one `V` it says it and starts a server (slapd(8)). slapcat says none. */
export const SLAPD_VERSION = ['-VV'];

/** A database of slapd that keeps entries on disk. */
export interface LdapDatabase {
  /** As `-n` takes it; 0 is the configuration. */
  readonly number: number;
  readonly suffix: string;
  readonly directory: string;
}

/** What to work on the files of slapd with. */
export interface LdapServer {
  readonly tool: DumpTool;
  readonly slapcat: Program;
  /** Options that say where the configuration is. */
  readonly config: readonly string[];
}

/** Rejects with `HOST_UNSUPPORTED` when slapd is not installed, with `USAGE` for two configurations. */
export async function ldapServer(definition: OpenldapDump, context: DumpContext): Promise<LdapServer> {
  const directory = definition['config-directory'];
  const file = definition['config-file'];
  if (directory !== undefined && file !== undefined) {
    throw new CairnError('USAGE', 'slapd has either `config-directory` or `config-file`');
  }
  const tool = await DumpTool.create(context, { runAs: definition['run-as'], timeoutMs: definition['time-limit'] });
  const slapcat = await requireProgram(context, ['slapcat'], DEBIAN_PACKAGE);
  const config = directory !== undefined ? ['-F', directory] : file !== undefined ? ['-f', file] : [];
  return { tool, slapcat, config };
}

/** Databases without files of their own: views of the server itself, or of other servers (slapd.backends(5)). */
const DATABASE = /^olcDatabase=\{(\d+)\}/i;

/** The databases that keep entries in a directory. Rejects as `DumpTool.ask` does. */
export async function listLdap({ tool, slapcat, config }: LdapServer): Promise<readonly LdapDatabase[]> {
  const text = await tool.ask(
    slapcat,
    [...config, '-n', '0', '-o', 'ldif-wrap=no'],
    'the configuration of slapd cannot be read',
  );
  const databases: LdapDatabase[] = [];
  for (const entry of entriesOf(text)) {
    const number = DATABASE.exec(entry.get('dn')?.[0] ?? '')?.[1];
    const [directory] = entry.get('olcdbdirectory') ?? [];
    const [suffix] = entry.get('olcsuffix') ?? [];
    if (number === undefined || directory === undefined || suffix === undefined) continue;
    databases.push({ number: Number(number), suffix, directory });
  }
  return databases;
}
