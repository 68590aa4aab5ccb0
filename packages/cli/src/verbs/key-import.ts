import {
  CairnError,
  createKeyFile,
  describeRights,
  encodeKeyFileText,
  formatFingerprint,
  importKey,
  nodeSuite,
  parseFingerprint,
  systemEnvironment,
  type ImportedKey,
} from '@cairn/core';

import type { Context } from '../context.ts';
import { defaultKeyFile, makeKeyDirectory } from '../keys/key-places.ts';
import { readKeyText } from '../keys/read-key-text.ts';
import { openStore } from '../open-repository.ts';
import { formatFacts } from '../output/table.ts';
import type { Verb } from '../verb.ts';

interface ImportOptions {
  readonly output?: string;
  readonly label?: string;
}

export const keyImport: Verb = {
  define(command) {
    command
      .description(
        'Read a key file, a recovery key or the lines of its paper form, and write a key file. With -r ' +
          'the key must be that of the repository.',
      )
      .argument('[file]', 'text with the key; standard input, or what you type, when none is given')
      .option('-o, --output <file>', 'the new key file; the place where `cairn` looks by itself when not given')
      .option('--label <text>', 'label of the key')
      .addHelpText('after', '\nExample:\n  cairn key import -r /backup/repo recovery.txt');
  },

  async run(context, { operands, options }) {
    const { output, label } = options as ImportOptions;
    const key = importKey(nodeSuite, await readKeyText(operands[0], context.signal));
    await assertRight(context, key);
    const repository = Buffer.from(key.capabilities.repo).toString('hex');
    const path = output ?? defaultKeyFile(context, repository);
    if (output === undefined) await makeKeyDirectory(path);
    const notes = {
      label: label ?? key.keyFile?.label ?? `imported from a ${key.form}`,
      createdNs: key.keyFile?.createdNs ?? systemEnvironment.clock.nowNs(),
    };
    await createKeyFile(nodeSuite, path, encodeKeyFileText(nodeSuite, key.capabilities, notes));
    const facts = {
      repository,
      fingerprint: formatFingerprint(key.fingerprint),
      rights: describeRights(key.capabilities),
    };
    if (context.json) {
      await context.output.line(JSON.stringify({ form: key.form, ...facts, key_file: path }));
      return;
    }
    await context.output.line(`The ${key.form} reads well.`);
    for (const line of formatFacts([...Object.entries(facts), ['key file', path]])) await context.output.line(line);
  },
};

/** Rejects with `WRONG_KEY` when the key is not that of the repository, or has not the fingerprint, that is set. */
async function assertRight(context: Context, { capabilities, fingerprint }: ImportedKey): Promise<void> {
  const shown = formatFingerprint(fingerprint);
  const wanted = context.settings.text('fingerprint');
  if (wanted !== undefined && Buffer.compare(parseFingerprint(wanted), fingerprint) !== 0) {
    throw new CairnError('WRONG_KEY', `the key has the fingerprint ${shown}, not ${wanted}`, {
      hint: 'Find the right one.',
    });
  }
  if (context.settings.find('repository') === undefined) return;
  const { store, claims, id } = await openStore(context);
  await store[Symbol.asyncDispose]();
  const same = Buffer.compare(claims.repo, capabilities.repo) === 0;
  if (same && Buffer.compare(claims.fingerprint, fingerprint) === 0) return;
  throw new CairnError('WRONG_KEY', `the key is not that of the repository ${id}: its fingerprint is ${shown}`, {
    hint: `The repository there says ${formatFingerprint(claims.fingerprint)}; find the key with that one.`,
  });
}
