import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DirectoryClientState } from './client-state.ts';

const REPOSITORY = '00112233445566778899aabbccddeeff';
const HEAD = { seq: 7, hash: 'ab'.repeat(32) };

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cairn-state-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe('what a client remembers', () => {
  it('is nothing at first contact', async () => {
    const state = new DirectoryClientState(join(directory, 'not', 'there'));
    expect(await state.readHead(REPOSITORY)).toBeUndefined();
    expect(await state.readFingerprint(REPOSITORY)).toBeUndefined();
  });

  it('comes back to another process, for each repository its own', async () => {
    const writer = new DirectoryClientState(join(directory, 'deep', 'state'));
    await writer.writeHead(REPOSITORY, HEAD);
    await writer.writeHead(REPOSITORY, { ...HEAD, seq: 8 });
    await writer.writeFingerprint(REPOSITORY, Buffer.from('00112233445566778899', 'hex'));
    const reader = new DirectoryClientState(join(directory, 'deep', 'state'));
    expect(await reader.readHead(REPOSITORY)).toEqual({ ...HEAD, seq: 8 });
    expect(Buffer.from((await reader.readFingerprint(REPOSITORY)) ?? []).toString('hex')).toBe('00112233445566778899');
    expect(await reader.readHead('f'.repeat(32))).toBeUndefined();
  });

  it('is for its owner only, and nothing else is left beside it', async () => {
    const state = new DirectoryClientState(directory);
    await state.writeHead(REPOSITORY, HEAD);
    const folder = join(directory, REPOSITORY);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, 'head.json'))).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['head.json']);
  });

  it.each([
    ['an empty file', ''],
    ['no JSON', 'seq 7'],
    ['another shape', '[7]'],
    ['a head without a hash', '{"seq":7}'],
    ['a hash that is cut off', '{"seq":7,"hash":"abab"}'],
    ['a number that counts nothing', `{"seq":-1,"hash":"${HEAD.hash}"}`],
    ['a text for a number', `{"seq":"7","hash":"${HEAD.hash}"}`],
  ])('refuses %s', async (_, text) => {
    const state = new DirectoryClientState(directory);
    await mkdir(join(directory, REPOSITORY));
    await writeFile(join(directory, REPOSITORY, 'head.json'), text);
    await expect(state.readHead(REPOSITORY)).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining(join(directory, REPOSITORY, 'head.json')),
    });
  });

  it('refuses a fingerprint that is none', async () => {
    const state = new DirectoryClientState(directory);
    await state.writeFingerprint(REPOSITORY, new Uint8Array(3));
    await expect(state.readFingerprint(REPOSITORY)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('says so when it cannot be kept', async () => {
    await writeFile(join(directory, 'file'), '');
    const state = new DirectoryClientState(join(directory, 'file'));
    await expect(state.writeHead(REPOSITORY, HEAD)).rejects.toMatchObject({ code: 'TARGET_FAILED' });
  });

  it.skipIf(process.getuid?.() === 0)('tells a file that may not be read from one that is not there', async () => {
    const state = new DirectoryClientState(directory);
    await state.writeHead(REPOSITORY, HEAD);
    await chmod(join(directory, REPOSITORY, 'head.json'), 0o000);
    await expect(state.readHead(REPOSITORY)).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
  });

  it('takes no path for the name of a repository', async () => {
    const state = new DirectoryClientState(directory);
    await expect(state.readHead('../../etc')).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});
