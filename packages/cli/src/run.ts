import { CairnError, ERROR_TABLE, EXIT_INCOMPLETE, knownError } from '@cairn/core';
import { CommanderError } from 'commander';

import type { Context } from './context.ts';
import { Messages } from './output/messages.ts';
import { Stdout } from './output/stdout.ts';
import { makeProgram } from './program.ts';
import { reportError } from './report-error.ts';
import { resolveSettings } from './settings/resolve.ts';
import { stopOnSignals } from './signals.ts';
import type { Invocation, Verb } from './verb.ts';

/** Status of a program that writes to a pipe which nobody reads any more: 128 + SIGPIPE, as shells count. */
const EXIT_PIPE = 141;

/** Runs a command line and ends the process with its exit status. Prints every error itself. */
export async function run(args: readonly string[]): Promise<never> {
  const { stdout, stderr, env } = process;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT_PIPE);
    throw error;
  });
  const output = new Stdout(stdout);
  const signal = stopOnSignals(stderr);
  let status = 0;
  const execute = async (verb: Verb, invocation: Invocation): Promise<void> => {
    const { options } = invocation;
    const quiet = options['quiet'] === true;
    const progress = options['progress'] !== false;
    const messages = new Messages(stderr, output, { quiet, verbose: options['verbose'] === true, progress });
    const settings = await resolveSettings(options, env);
    const context: Context = { settings, variables: env, output, messages, json: options['json'] === true, signal };
    try {
      status = (await verb.run(context, invocation)) ?? 0;
      if (status === 0 && messages.doubted) status = EXIT_INCOMPLETE;
      await output.flush();
    } finally {
      messages.showProgress('');
    }
  };
  try {
    await makeProgram(execute, stdout.columns).parseAsync(asked(args), { from: 'user' });
  } catch (error) {
    status = await failed(error, args, output);
  }
  // Not left to the event loop: a handle that stays open must not keep a nightly job from ending.
  process.exit(status);
}

/** `cairn help list` is `cairn list --help`, as elsewhere. */
function asked(args: readonly string[]): readonly string[] {
  return args[0] === 'help' ? [...args.slice(1), '--help'] : args;
}

async function failed(error: unknown, args: readonly string[], output: Stdout): Promise<number> {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  // What was found before the error is printed before the error is.
  await output.flush();
  const known = errorOf(error);
  reportError(known, { json: args.includes('--json'), verbose: args.includes('-v') || args.includes('--verbose') });
  return known.exit;
}

function errorOf(error: unknown): CairnError {
  if (error instanceof CommanderError) {
    // Commander shows help where a verb is missing.
    const message =
      error.code === 'commander.help'
        ? 'no command is given'
        : error.message.replace(/^error: /, '').replace('\n', ' ');
    return new CairnError('USAGE', message, { hint: 'See `cairn --help`, and `cairn COMMAND --help`.' });
  }
  return knownError(
    error,
    `This is a bug in Cairn; please report it with what \`--verbose\` adds. ${ERROR_TABLE.INTERNAL.when}`,
  );
}
