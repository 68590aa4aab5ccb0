import type { DumpContext } from './dump-context.ts';
import { programOutput, type DumpFile } from './dump-file.ts';
import type { DumpPlan } from './dump-plan.ts';
import type { OpenldapDump } from './dump-schema.ts';
import { ldapServer, listLdap, SLAPD_VERSION } from './openldap-server.ts';
import { isWholeLdif, type OutputCheck } from './output-ends.ts';
import { requireProgram } from './programs.ts';

/** A configuration always has entries. */
const isConfiguration: OutputCheck = (ends) => (ends.length === 0 ? 'its output is empty' : isWholeLdif(ends));

/**
 * What is to be dumped of slapd: its configuration, and each database with a directory. Rejects with `HOST_UNSUPPORTED` and
 * `SOURCE_UNREADABLE`.
 */
export async function planOpenldap(definition: OpenldapDump, context: DumpContext): Promise<DumpPlan> {
  const server = await ldapServer(definition, context);
  const { tool, slapcat, config } = server;
  const { options = [] } = definition;
  const output = (number: number, check: OutputCheck): DumpFile['open'] =>
    programOutput(tool, tool.call(slapcat, [...config, '-n', String(number), ...options]), check);
  const databases = (await listLdap(server)).map(({ number, suffix, directory }): DumpFile => ({
    path: `databases/${number}.ldif`,
    part: 'database',
    databases: [suffix],
    facts: { number: String(number), directory },
    open: output(number, isWholeLdif),
  }));
  const configuration: DumpFile = {
    path: 'config.ldif',
    part: 'config',
    databases: [],
    facts: definition['config-file'] === undefined ? {} : { form: 'file' },
    open: output(0, isConfiguration),
  };
  const slapd = await requireProgram(context, ['slapd'], 'slapd');
  return { program: await tool.version(slapd, SLAPD_VERSION), files: [configuration, ...databases] };
}
