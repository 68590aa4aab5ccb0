import { Command, Option } from 'commander';

import { count } from './option-values.ts';
import type { Invocation, Verb, VerbGroup, VerbRow } from './verb.ts';
import { VERBS } from './verbs.ts';
import { VERSION } from './version.ts';

/** Threads more than this are a mistake, not a machine. */
const MOST_THREADS = 256;

/** Does what a command line asks for. */
export type Execute = (verb: Verb, invocation: Invocation) => Promise<void>;

/** Columns of the help where nobody says how many there are. More make lines that are hard to read. */
const HELP_COLUMNS = 110;

/**
 * The command line. Only the verb that is used is loaded, by a hook before commander parses the rest of the line;
 * `loadAll` does it for those who need the whole.
 * @param columns of the terminal that help is shown on.
 */
export function makeProgram(execute: Execute, columns = HELP_COLUMNS): Command {
  const program = new Command('cairn')
    .description('Encrypted, deduplicating backups.')
    .version(`cairn ${VERSION}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(columns, HELP_COLUMNS) })
    // What goes wrong is reported in one place, for people or as JSON.
    .configureOutput({ outputError: () => undefined });
  addGlobalOptions(program);
  addVerbs(program, VERBS, execute);
  program.addHelpText('after', `\nExample:\n  cairn init -r /backup/repo && cairn backup -r /backup/repo /etc /home`);
  return program;
}

function addGlobalOptions(program: Command): void {
  program
    .option('-r, --repository <address>', 'the repository: a directory, or an address such as s3://BUCKET/PREFIX')
    .option('--key-file <file>', 'key file, or file with a key slot, that opens it')
    .option('--passphrase-file <file>', 'read the passphrase of a key slot from a file')
    .option('--passphrase-command <command>', 'run a command that prints the passphrase of a key slot')
    .option('--passphrase-fd <number>', 'read the passphrase of a key slot from a file descriptor', count(0, 1_000_000))
    .option('--credentials-file <file>', 'file with the credentials for the store')
    .option('--limit-upload <rate>', 'bytes per second to send to the store at most, as in 2M')
    .option('--limit-download <rate>', 'bytes per second to get from the store at most, as in 2M')
    .option('--retry-for <time>', 'how long to try again when the store does not answer, as in 30s or 10m')
    .option('--fingerprint <text>', 'refuse keys with another fingerprint')
    .option('--config <file>', 'configuration file')
    .option('--threads <number>', 'worker threads; 0 works without', count(0, MOST_THREADS))
    .option('--json', 'print the result as JSON')
    .option('-q, --quiet', 'print results, warnings and errors only')
    .option('-v, --verbose', 'print more')
    .addOption(new Option('--no-progress', 'show no progress line'));
}

const LOADERS = new WeakMap<Command, () => Promise<void>>();

function addVerbs(parent: Command, rows: readonly (VerbRow | VerbGroup)[], execute: Execute): void {
  parent.hook('preSubcommand', async (_, command) => await LOADERS.get(command)?.());
  for (const row of rows) {
    const command = parent.command(row.name).summary(row.summary).description(sentence(row.summary)).helpCommand(false);
    if ('verbs' in row) {
      addVerbs(command, row.verbs, execute);
      command.addHelpText('after', `\nExample:\n  ${row.example}`);
    } else LOADERS.set(command, () => define(command, row, execute));
  }
}

async function define(command: Command, row: VerbRow, execute: Execute): Promise<void> {
  LOADERS.delete(command);
  const verb = await row.load();
  verb.define(command);
  command.action(async () => {
    await execute(verb, { operands: command.args, options: command.optsWithGlobals() });
  });
}

/** Defines every verb: for completion and for the reference. */
export async function loadAll(command: Command): Promise<void> {
  await LOADERS.get(command)?.();
  for (const below of command.commands) await loadAll(below);
}

function sentence(phrase: string): string {
  return `${phrase.charAt(0).toUpperCase()}${phrase.slice(1)}.`;
}
