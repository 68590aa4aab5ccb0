import { CairnError, generatePassphrase, passphraseBytes, systemEnvironment } from '@cairn/core';
import type { Command } from 'commander';

import type { Context } from '../context.ts';
import { count } from '../option-values.ts';
import { readSecret } from './read-secret.ts';
import { newSecretSourceOf, type NewSecretOptions as Sources } from './secret-source.ts';
import { Terminal } from './terminal.ts';

export interface NewSecretOptions extends Sources {
  readonly generatePassphrase?: boolean;
}

export function addNewSecretOptions(command: Command): void {
  command
    .option('--new-passphrase-file <file>', 'read the new passphrase from a file')
    .option('--new-passphrase-command <command>', 'run a command that prints the new passphrase')
    .option('--new-passphrase-fd <number>', 'read the new passphrase from a file descriptor', count(0, 1_000_000))
    .option('--generate-passphrase', 'make a random passphrase and show it');
}

/**
 * A new passphrase: from where the options say, else typed twice. The caller wipes it. Rejects with `USAGE` when there is
 * nobody to ask.
 */
export async function newPassphrase(context: Context, options: NewSecretOptions, what: string): Promise<Buffer> {
  const source = newSecretSourceOf(options);
  if (options.generatePassphrase === true) {
    if (source !== undefined) {
      throw new CairnError('USAGE', 'a passphrase cannot be generated and read at once', { hint: 'Choose one.' });
    }
    const generated = generatePassphrase(systemEnvironment.random);
    context.messages.write(`Passphrase ${what}: ${generated}\nWrite it down: it is shown only now.`);
    return passphraseBytes(generated);
  }
  if (source !== undefined) return await readSecret(source, context.signal);
  const terminal = Terminal.open();
  if (terminal === undefined) {
    throw new CairnError('USAGE', `a new passphrase is needed ${what}, and there is no terminal to ask at`, {
      hint: 'Say where it is with --new-passphrase-file or --new-passphrase-command.',
    });
  }
  try {
    for (;;) {
      const typed = await terminal.askHidden(`New passphrase ${what}: `);
      if (typed === '') terminal.say('It is empty; choose one of several words.');
      else if ((await terminal.askHidden('The same again: ')) === typed) return passphraseBytes(typed);
      else terminal.say('They differ; once more.');
    }
  } finally {
    terminal.close();
  }
}
