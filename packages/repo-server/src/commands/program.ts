import { Command } from 'commander';

import { addClient, listClients, revokeClient, type AddOptions, type ConfigOptions } from './clients.ts';
import { auditHosted, createHosted, scrubHosted, setEntriesAside, showUsage, type RepositoryOptions } from './look.ts';
import { serve, type ServeRequest } from './serve.ts';
import type { Surroundings } from './surroundings.ts';
import { VERSION } from '../version.ts';

const CONFIG = ['--config <file>', "the server's file; /etc/cairn/server.toml unless given"] as const;
const JSON_OPTION = ['--json', 'print the result as JSON'] as const;

/** The command line of `cairn-server`. `ended` is told the exit status. */
export function makeProgram(surroundings: Surroundings, ended: (status: number) => void): Command {
  const program = new Command('cairn-server')
    .description('Keeps repositories that it can neither read nor lose.')
    .version(`cairn-server ${VERSION}`, '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .helpCommand(false);

  addServe(program.command('serve')).action(async (options: ServeRequest) => {
    await serve(options, surroundings);
  });

  const client = program.command('client').description('Manage who may use a repository.').helpCommand(false);
  client
    .command('add <name>')
    .description('Register a client; prints its token, this once, or its line for authorized_keys.')
    .requiredOption('--repo <name>', 'the repository')
    .requiredOption('--role <role>', 'append, read, maintain or monitor')
    .option('--ssh-key <file>', 'public key of the client: it comes over ssh, and gets no token')
    .option('--expires <time>', 'how long it may come, as in 90d')
    .option('--from <network...>', 'where it may come from, as in 192.0.2.0/24')
    .option('--quota <size>', 'how much it may store, as in "500 GB"')
    .option('--entries-per-day <number>', 'how many log entries it may write in 24 hours')
    .option('--with-packs', 'let the role append read packs, too')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .addHelpText('after', '\nExample:\n  cairn-server client add web1 --repo main --role append --ssh-key web1.pub')
    .action(async (name: string, options: AddOptions) => await addClient(name, options, surroundings));
  client
    .command('list')
    .description('Show the clients.')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .addHelpText('after', '\nExample:\n  cairn-server client list')
    .action(async (options: ConfigOptions) => await listClients(options, surroundings));
  client
    .command('revoke <name>')
    .description('Shut a client out, from now on.')
    .option(...CONFIG)
    .option(...JSON_OPTION)
    .addHelpText('after', '\nExample:\n  cairn-server client revoke web1')
    .action(async (name: string, options: ConfigOptions) => await revokeClient(name, options, surroundings));

  const look = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .requiredOption('--repo <name>', 'the repository')
      .option(...CONFIG)
      .option(...JSON_OPTION)
      .addHelpText(
        'after',
        `\nExample:\n  cairn-server ${name} --repo main${name === 'set-aside' ? ' --from 17 --dry-run' : ''}`,
      );
  look('create', 'Make the empty folders of a repository.').action(async (options: RepositoryOptions) => {
    await createHosted(options, surroundings);
  });
  look('usage', 'Show how much each client stores, and when it last committed.').action(
    async (options: RepositoryOptions) => await showUsage(options, surroundings),
  );
  look('audit', 'Verify the log and show every entry: when, by whom, what.').action(
    async (options: RepositoryOptions) => {
      await auditHosted(options, surroundings);
    },
  );
  look('set-aside', 'Take the newest log entries out of the way, because no key opens the first of them.')
    .requiredOption('--from <entry>', 'number of the first entry to go')
    .option('--dry-run', 'only show which')
    .action(async (options: RepositoryOptions & { from: string; dryRun?: boolean }) => {
      await setEntriesAside(options, surroundings);
    });
  look('scrub', 'Compare the bytes of every object with its name.')
    .option('--rate <size>', 'bytes a second at most, as in "20 MB"')
    .action(async (options: RepositoryOptions & { rate?: string }) => ended(await scrubHosted(options, surroundings)));
  return program;
}

/** Options of `serve`, which `cairn serve` has, too. */
export function addServe(command: Command): Command {
  return command
    .description('Serve repositories: on a port, or on standard input and output under sshd.')
    .option('--stdio', 'serve one client on standard input and output')
    .option('--repo <name>', 'with --stdio: the repository')
    .option('--role <role>', 'with --stdio: append, read, maintain or monitor')
    .option('--client <name>', 'with --stdio: the registered client')
    .option('--path <directory>', 'with --stdio: a directory of your own, without roles')
    .option('--create', 'with --path: make the folders of an empty store there')
    .option(...CONFIG)
    .addHelpText('after', '\nExample:\n  cairn-server serve --config /etc/cairn/server.toml');
}
