#!/usr/bin/env node
import { CairnError, knownError } from '@cairn/core/server';
import { CommanderError } from 'commander';
import { setFlagsFromString } from 'node:v8';

import { makeProgram } from './commands/program.ts';
import { processSurroundings } from './commands/surroundings.ts';

// Much short-lived garbage and little that stays: small young generations serve as well as large ones.
setFlagsFromString('--optimize-for-size');

const stopping = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.once(name, () => stopping.abort());
}
let status = 0;
try {
  const program = makeProgram(processSurroundings(stopping.signal), (ended) => {
    status = ended;
  });
  await program.parseAsync(process.argv);
} catch (error) {
  status = report(error);
}
process.exit(status);

/** Prints an error, for people or as JSON, and gives its exit status. */
function report(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const known = errorOf(error);
  const hint = known.hint === undefined ? '' : `\n       ${known.hint}`;
  const text = process.argv.includes('--json') ? JSON.stringify(known) : `cairn-server: ${known.message}${hint}`;
  process.stderr.write(`${text}\n`);
  return known.exit;
}

function errorOf(error: unknown): CairnError {
  if (error instanceof CommanderError) {
    const message = error.code === 'commander.help' ? 'no command is given' : error.message.replace(/^error: /, '');
    return new CairnError('USAGE', message, { hint: 'See `cairn-server --help`.' });
  }
  return knownError(error);
}
