import {
  createKeyFile,
  createPassphraseSlot,
  createSlotFile,
  encodeKeyFileText,
  MemoryStore,
  nodeSuite,
  Repository,
  systemEnvironment,
} from '@cairn/core';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { problemOf } from '../http/problem.ts';
import { RepositoryKey } from './repository-key.ts';

const { clock, random } = systemEnvironment;
const { keys: KEYS, repository } = await Repository.create(new MemoryStore(clock));
await repository.close();

const CREATED_NS = 1_795_248_000_000_000_000n;

let directory: string;

beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'cairn-panel-key-'))));

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function keyOf(passphraseFile?: string): RepositoryKey {
  return new RepositoryKey({
    name: 'main',
    address: join(directory, 'repo'),
    'key-file': join(directory, 'key'),
    ...(passphraseFile === undefined ? {} : { 'passphrase-file': join(directory, passphraseFile) }),
  });
}

/** What a request is answered that needs the key. */
async function answerOf(key: RepositoryKey): Promise<{ status: number; code: string; detail: string }> {
  try {
    await key.load();
  } catch (error) {
    const { status, code, detail } = problemOf(error);
    return { status, code, detail };
  }
  throw new Error('the key could be read');
}

async function wrapFor(passphrase: string): Promise<void> {
  const notes = { label: 'of the panel', createdNs: CREATED_NS };
  const slot = await createPassphraseSlot(nodeSuite, random, KEYS, Buffer.from(passphrase), notes);
  await createSlotFile(join(directory, 'key'), slot);
}

describe('the key of a configured repository', () => {
  it('is read from a key file, or unwrapped by the passphrase in another file', async () => {
    await wrapFor('otter kettle');
    writeFileSync(join(directory, 'words'), 'otter kettle\n');
    expect((await keyOf('words').load()).label).toBe('of the panel');
    rmSync(join(directory, 'key'));
    const notes = { label: 'open', createdNs: CREATED_NS };
    await createKeyFile(nodeSuite, join(directory, 'key'), encodeKeyFileText(nodeSuite, KEYS, notes));
    expect((await keyOf().load()).label).toBe('open');
  });

  it('is at fault, and not who asks, when one of its files cannot be read', async () => {
    const file = join(directory, 'key');
    expect(await answerOf(keyOf())).toEqual({
      status: 500,
      code: 'usage',
      detail: `cannot read the key file ${file}: ENOENT`,
    });
    writeFileSync(file, 'hello');
    expect(await answerOf(keyOf())).toMatchObject({ status: 500, code: 'usage' });
    rmSync(file);
    await wrapFor('otter kettle');
    const words = join(directory, 'words');
    const missing = `cannot read the passphrase file ${words}: ENOENT`;
    expect(await answerOf(keyOf('words'))).toEqual({ status: 500, code: 'usage', detail: missing });
    writeFileSync(words, 'x'.repeat(1_000_000));
    expect((await answerOf(keyOf('words'))).detail).toBe(`the passphrase file ${words} has more than 4096 bytes`);
    writeFileSync(words, 'kettle otter');
    expect(await answerOf(keyOf('words'))).toMatchObject({ status: 403, code: 'wrong-key' });
  });

  it('is read again once the passphrase is there', async () => {
    await wrapFor('otter kettle');
    const key = keyOf('words');
    await expect(key.load()).rejects.toThrow('ENOENT');
    writeFileSync(join(directory, 'words'), 'otter kettle\n');
    expect((await key.load()).label).toBe('of the panel');
  });
});
