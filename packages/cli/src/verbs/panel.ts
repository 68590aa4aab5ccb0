import type { Verb } from '../verb.ts';

interface PanelOptions {
  readonly panelFile?: string;
  readonly listen?: string;
  readonly setupLink?: boolean;
}

export const panel: Verb = {
  define(command) {
    command
      .description(
        'Run the management API behind a control panel, on loopback or a unix socket, until it is ended. The first start ' +
          'prints a link that makes the first account; see the guide on the panel.',
      )
      .option('--panel-file <file>', 'what the panel manages and where it listens; /etc/cairn/panel.toml unless given')
      .option('--listen <address>', 'in place of what the file says: HOST:PORT, or unix:/PATH')
      .option('--setup-link', 'print a link that makes an admin, and end: for when nobody can log in any more')
      .addHelpText('after', '\nExample:\n  cairn panel --panel-file /etc/cairn/panel.toml');
  },

  async run({ variables, signal, json }, { options }) {
    const { panelFile, listen, setupLink = false } = options as PanelOptions;
    const { runPanel } = await import('@cairn/api');
    const [, program = ''] = process.argv;
    await runPanel(
      { panelFile, listen, setupLink, json },
      {
        cairnCommand: [process.execPath, program],
        variables,
        print: (line) => void process.stdout.write(`${line}\n`),
        writeLog: (line) => void process.stderr.write(line),
        signal,
      },
    );
  },
};
