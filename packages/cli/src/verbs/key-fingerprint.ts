import { CairnError, formatFingerprint } from '@cairn/core';
import { existsSync } from 'node:fs';

import type { Context } from '../context.ts';
import { defaultKeyFile } from '../keys/key-places.ts';
import { keyFromFile } from '../keys/obtain-key.ts';
import { clientFilesOf, openStore } from '../open-repository.ts';
import type { Verb } from '../verb.ts';

interface Known {
  readonly fingerprint: Uint8Array;
  /** `key`: proved by a key. `memory`: what this machine saw before. `store`: what the store says, proved by nothing. */
  readonly source: 'key' | 'memory' | 'store';
}

const SAID_BY_STORE = 'The store says so, and no key proves it yet: compare it with the one that you wrote down.';

export const keyFingerprint: Verb = {
  define(command) {
    command
      .description('Show the fingerprint of the keys, which is no secret. Asks for no passphrase.')
      .addHelpText('after', '\nExample:\n  cairn key fingerprint -r /backup/repo');
  },

  async run(context) {
    const { fingerprint, source } = await knownFingerprint(context);
    const text = formatFingerprint(fingerprint);
    await context.output.line(context.json ? JSON.stringify({ fingerprint: text, source }) : text);
    if (source === 'store') context.messages.info(SAID_BY_STORE);
  },
};

async function knownFingerprint(context: Context): Promise<Known> {
  const named = context.settings.text('key-file');
  if (named !== undefined)
    return { fingerprint: (await keyFromFile(context, named)).keyFile.fingerprint, source: 'key' };
  const { store, claims, id } = await openStore(context);
  await store[Symbol.asyncDispose]();
  const byDefault = defaultKeyFile(context, id);
  if (existsSync(byDefault)) {
    return { fingerprint: (await keyFromFile(context, byDefault)).keyFile.fingerprint, source: 'key' };
  }
  const remembered = await clientFilesOf(context).clientState.readFingerprint(id);
  if (remembered === undefined) return { fingerprint: claims.fingerprint, source: 'store' };
  if (Buffer.compare(remembered, claims.fingerprint) === 0) return { fingerprint: remembered, source: 'memory' };
  throw new CairnError(
    'WRONG_KEY',
    `the store says ${formatFingerprint(claims.fingerprint)}, but this machine knows it by ${formatFingerprint(remembered)}`,
    {
      hint: 'The store was replaced. Do not use it.',
    },
  );
}
