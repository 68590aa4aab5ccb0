import { systemEnvironment } from '@cairn/core';

import type { Verb } from '../verb.ts';

interface ServeOptions {
  readonly serverFile?: string;
  readonly stdio?: boolean;
  readonly repo?: string;
  readonly role?: string;
  readonly client?: string;
  readonly path?: string;
  readonly create?: boolean;
}

export const serve: Verb = {
  define(command) {
    command
      .description(
        'Serve repositories to other machines: on a port, or on standard input and output under sshd. The same as ' +
          '`cairn-server serve`; see the guide on servers.',
      )
      .option('--server-file <file>', 'what the server keeps and where it listens; /etc/cairn/server.toml unless given')
      .option('--stdio', 'serve one client on standard input and output')
      .option('--repo <name>', 'with --stdio: the repository')
      .option('--role <role>', 'with --stdio: append, read, maintain or monitor')
      .option('--client <name>', 'with --stdio: the registered client')
      .option('--path <directory>', 'with --stdio: a directory of your own, without roles')
      .option('--create', 'with --path: make the folders of an empty store there')
      .addHelpText('after', '\nExample:\n  cairn serve --server-file /etc/cairn/server.toml');
  },

  async run({ variables, signal }, { options }) {
    const { serverFile: config, stdio, repo, role, client, path, create } = options as unknown as ServeOptions;
    const { serve: serveRepositories } = await import('@cairn/repo-server');
    const [sshClient = ''] = (variables['SSH_CONNECTION'] ?? '').split(' ');
    await serveRepositories(
      { config, stdio, repo, role, client, path, create },
      {
        clock: systemEnvironment.clock,
        writeLog: (line) => void process.stderr.write(line),
        sshClient: sshClient === '' ? undefined : sshClient,
        signal,
      },
    );
  },
};
