#!/usr/bin/env node
import { isCairnError } from '@cairn/core';
import { parseArgs } from 'node:util';

import { runPanel } from './panel.ts';

const HELP = `Usage: cairn-api [--panel-file FILE] [--listen ADDRESS] [--setup-link] [--json]

Runs the management API, as \`cairn panel\` does. The program \`cairn\` must be in PATH: long work has processes of its own. With
--setup-link it prints a link that makes an admin, and ends.

Example:
  cairn-api --panel-file /etc/cairn/panel.toml
`;

const stopping = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.abort());

try {
  const { values } = parseArgs({
    options: {
      'panel-file': { type: 'string' },
      listen: { type: 'string' },
      'setup-link': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) process.stdout.write(HELP);
  else {
    await runPanel(
      { panelFile: values['panel-file'], listen: values.listen, setupLink: values['setup-link'], json: values.json },
      {
        cairnCommand: ['cairn'],
        variables: process.env,
        print: (line) => void process.stdout.write(`${line}\n`),
        writeLog: (line) => void process.stderr.write(line),
        signal: stopping.signal,
      },
    );
  }
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`cairn-api: ${message}\n`);
  if (isCairnError(error) && error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`);
  process.exit(isCairnError(error) ? error.exit : 2);
}
process.exit(0);
