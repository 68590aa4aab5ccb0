import { systemEnvironment } from '@cairn/core';
import type { DetectedDatabase } from '@cairn/jobs';
import { tmpdir } from 'node:os';

import { safeText } from '../output/safe-text.ts';
import type { Verb } from '../verb.ts';

export const jobDetect: Verb = {
  define(command) {
    command
      .description(
        'Look which databases are installed on this machine and what they hold, and print lines for a job file that dump them. ' +
          'Asks them with the usual access of the user; root asks PostgreSQL as the user postgres.',
      )
      .addHelpText('after', '\nExample:\n  cairn job detect');
  },

  async run({ json, output, messages, signal, variables }) {
    const { detectDumps } = await import('@cairn/jobs');
    const found = await detectDumps({
      environment: systemEnvironment,
      variables,
      signal,
      temporaryDirectory: tmpdir(),
    });
    if (json) {
      await output.line(JSON.stringify(found.map(detectedJson)));
      return;
    }
    for (const line of found.flatMap(detectedText)) await output.line(line);
    if (found.length === 0) messages.info('There is no program of a database here that Cairn knows.');
  },
};

/** Comments of a job file, and the lines that dump it. */
function detectedText({ kind, program, server, databases, problem, example }: DetectedDatabase): string[] {
  const what = program === undefined ? kind : `${kind}: ${safeText(program)}`;
  return [
    `# ${what}${server ? '' : ', without a server here'}`,
    ...(databases === undefined || databases.length === 0 ? [] : [`# holds ${databases.map(safeText).join(', ')}`]),
    ...(problem === undefined ? [] : [`# ${safeText(problem)}`]),
    example,
    '',
  ];
}

function detectedJson({ kind, program, server, databases, problem, example }: DetectedDatabase) {
  return {
    kind,
    server,
    ...(program === undefined ? {} : { program }),
    ...(databases === undefined ? {} : { databases }),
    ...(problem === undefined ? {} : { problem }),
    example,
  };
}
