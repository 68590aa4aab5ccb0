import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { directoryCheckMemory } from './check-memory.ts';

const REPOSITORY = 'ab'.repeat(16);
const PACKS = new Map([
  ['11'.repeat(32), 0],
  ['22'.repeat(32), 1_795_248_000_123],
  ['ff'.repeat(32), 2 ** 48 - 1],
]);

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-check-memory-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const fileOf = (): string => join(folder, REPOSITORY, 'verified-packs');

describe('directoryCheckMemory', () => {
  it('gives back what it was given last, for each repository', async () => {
    const memory = directoryCheckMemory(folder);
    expect((await memory.read(REPOSITORY)).size).toBe(0);
    await memory.write(REPOSITORY, new Map([['33'.repeat(32), 5]]));
    await memory.write(REPOSITORY, PACKS);
    expect(new Map(await directoryCheckMemory(folder).read(REPOSITORY))).toEqual(PACKS);
    expect((await memory.read('cd'.repeat(16))).size).toBe(0);
    expect(readdirSync(join(folder, REPOSITORY))).toEqual(['verified-packs']);
    expect(statSync(fileOf()).mode & 0o777).toBe(0o600);
  });

  it('starts again when the file is not whole', async () => {
    const memory = directoryCheckMemory(folder);
    await memory.write(REPOSITORY, PACKS);
    const good = readFileSync(fileOf());
    for (let at = 0; at < good.length; at += 7) {
      const flipped = Buffer.from(good);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      for (const bytes of [flipped, good.subarray(0, at), Buffer.concat([good, Buffer.alloc(at + 1)])]) {
        writeFileSync(fileOf(), bytes);
        expect((await memory.read(REPOSITORY)).size).toBe(0);
      }
    }
  });

  it('rejects when it cannot read or write', async () => {
    const memory = directoryCheckMemory(folder);
    mkdirSync(fileOf(), { recursive: true });
    await expect(memory.read(REPOSITORY)).rejects.toMatchObject({ code: 'TARGET_FAILED' });
    await expect(memory.write(REPOSITORY, PACKS)).rejects.toMatchObject({ code: 'TARGET_FAILED' });
  });
});
