import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { systemEnvironment } from '../host/environment.ts';
import { Repository } from '../repository.ts';
import { MemoryStore } from '../stores/memory.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { decodeEntry } from '../tree/entry.ts';
import { LookAhead } from './look-ahead.ts';

let source: string;

beforeEach(() => {
  source = mkdtempSync(path.join(tmpdir(), 'cairn-look-ahead-'));
});

afterEach(() => rmSync(source, { recursive: true }));

/** An archive of `source`, and how often each of its chunks was read from the repository. */
async function archived() {
  const { repository } = await Repository.create(new MemoryStore(systemEnvironment.clock));
  const { archive } = await repository.backup({ paths: [source], threads: 0 });
  const reader = await repository.access.chunkReader();
  const reads = new Map<string, number>();
  const counting: ChunkSource = {
    async chunk(type, id) {
      const key = Buffer.from(id).toString('hex');
      reads.set(key, (reads.get(key) ?? 0) + 1);
      return await reader.chunk(type, id);
    },
  };
  const root = decodeEntry(archive.descriptor.root, true);
  return { earlier: { root, source: counting, startNs: 0n, endNs: 0n }, reads };
}

it('is ahead by so many directories and no more, and serves what it read from memory', async () => {
  for (let i = 0; i < 300; i++) {
    mkdirSync(path.join(source, `d${String(i).padStart(3, '0')}`, 'inner'), { recursive: true });
    writeFileSync(path.join(source, `d${String(i).padStart(3, '0')}`, 'inner', 'file'), `${i}`);
  }
  const { earlier, reads } = await archived();
  const ahead = new LookAhead(earlier);
  for (let i = 0; i < 4; i++) await ahead.advance();
  const first = reads.size;
  expect(first).toBeGreaterThan(4);
  await ahead.advance();
  expect(reads.size).toBe(first);
  const [id] = reads.keys();
  await ahead.chunk(2, Buffer.from(id ?? '', 'hex'));
  expect(reads.get(id ?? '')).toBe(1);
  // Its copy went to the one who asked; the next one reads again.
  await ahead.chunk(2, Buffer.from(id ?? '', 'hex'));
  expect(reads.get(id ?? '')).toBe(2);
  ahead.entered(`${source}/d050`);
  await ahead.advance();
  expect(reads.size).toBeGreaterThan(first);
  await ahead.close();
});

it('goes on past directories that are gone, and ends where the trees end', async () => {
  for (let i = 0; i < 40; i++) mkdirSync(path.join(source, `d${i}`));
  const { earlier, reads } = await archived();
  const ahead = new LookAhead(earlier);
  for (let i = 0; i < 100; i++) {
    ahead.entered(`/not/there/${i}`);
    await ahead.advance();
  }
  const all = reads.size;
  ahead.entered('/nowhere');
  await ahead.advance();
  expect(reads.size).toBe(all);
  await ahead.close();
});

it('leaves damage to the walk', async () => {
  mkdirSync(path.join(source, 'inner'));
  const { earlier } = await archived();
  const ahead = new LookAhead({ ...earlier, source: { chunk: () => Promise.resolve(Buffer.from([1, 2, 3])) } });
  await ahead.advance();
  await ahead.close();
});
