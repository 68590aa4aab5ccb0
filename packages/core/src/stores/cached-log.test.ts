import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { systemEnvironment } from '../host/environment.ts';
import { logName } from '../ids.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { Repository } from '../repository.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { testObjectStore } from '../testing/object-store-suite.ts';
import { CachedLogStore } from './cached-log.ts';
import { MemoryStore, type MemoryObject } from './memory.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'cairn-cached-log-'));
  file = path.join(directory, 'made', 'log');
});

afterEach(() => rmSync(directory, { recursive: true }));

const newStore = (objects?: Map<string, MemoryObject>) => new MemoryStore(systemEnvironment.clock, objects);
const entry = (text: string) => Buffer.from(text);

/** Reads these slots through a fresh decorator, and counts what reached the store. */
async function readSlots(store: ObjectStore, slots: readonly number[]) {
  const counting = new FaultyStore(store);
  await using cached = new CachedLogStore(counting, file, systemEnvironment.random);
  const texts: string[] = [];
  for (const slot of slots) {
    texts.push(Buffer.from(await cached.get({ kind: 'log', name: logName(slot) })).toString());
  }
  return { texts, gets: counting.counts.get };
}

async function filled(...texts: string[]): Promise<MemoryStore> {
  const store = newStore();
  for (const [i, text] of texts.entries()) await store.put({ kind: 'log', name: logName(i + 1) }, entry(text));
  return store;
}

describe('as a store', () => {
  let number = 0;
  testObjectStore(
    it,
    async () => {
      number += 1;
      return new CachedLogStore(newStore(), path.join(directory, `${number}`), systemEnvironment.random);
    },
    { environment: systemEnvironment, throwaway: true },
  );
});

it('asks for the newest kept entry and for new ones only', async () => {
  const store = await filled('a', 'b', 'c');
  expect(await readSlots(store, [1, 2, 3])).toEqual({ texts: ['a', 'b', 'c'], gets: 3 });
  expect(await readSlots(store, [1, 2, 3])).toEqual({ texts: ['a', 'b', 'c'], gets: 1 });
  await store.put({ kind: 'log', name: logName(4) }, entry('d'));
  expect(await readSlots(store, [1, 2, 3, 4])).toEqual({ texts: ['a', 'b', 'c', 'd'], gets: 2 });
});

it('keeps what it put itself', async () => {
  const store = await filled('a');
  {
    await using cached = new CachedLogStore(store, file, systemEnvironment.random);
    await cached.get({ kind: 'log', name: logName(1) });
    await cached.put({ kind: 'log', name: logName(2) }, entry('b'));
  }
  expect(await readSlots(store, [1, 2])).toEqual({ texts: ['a', 'b'], gets: 1 });
});

it('forgets everything when the store has another history, or a shorter one', async () => {
  await readSlots(await filled('a', 'b'), [1, 2]);
  expect((await readSlots(await filled('x', 'y'), [1, 2])).texts).toEqual(['x', 'y']);
  const shorter = await filled('x');
  expect(await readSlots(shorter, [1, 1, 1])).toEqual({ texts: ['x', 'x', 'x'], gets: 4 });
  await expect(readSlots(shorter, [2])).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
});

it('does not use a file that is not whole', async () => {
  const store = await filled('a', 'b');
  await readSlots(store, [1, 2]);
  const good = readFileSync(file);
  for (let length = 0; length < good.length; length++) {
    writeFileSync(file, good.subarray(0, length));
    expect((await readSlots(store, [1, 2])).gets).toBe(2);
    rmSync(file);
  }
  for (let at = 0; at < good.length; at++) {
    const flipped = Buffer.from(good);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    writeFileSync(file, flipped);
    expect((await readSlots(store, [1, 2])).texts).toEqual(['a', 'b']);
    rmSync(file);
  }
});

it('passes on that the store cannot be asked, and asks again', async () => {
  const store = await filled('a', 'b');
  await readSlots(store, [1, 2]);
  const faulty = new FaultyStore(store, [{ at: 1, operation: 'get', when: 'before' }]);
  const cached = new CachedLogStore(faulty, file, systemEnvironment.random);
  await expect(cached.get({ kind: 'log', name: logName(1) })).rejects.toMatchObject({ code: 'STORE_FAILED' });
  expect(Buffer.from(await cached.get({ kind: 'log', name: logName(1) })).toString()).toBe('a');
});

it('works where nothing can be kept', async () => {
  writeFileSync(path.join(directory, 'made'), '');
  const store = await filled('a');
  expect((await readSlots(store, [1])).texts).toEqual(['a']);
  expect(existsSync(file)).toBe(false);
});

it('does not hide from a repository that its store went back', async () => {
  const objects = new Map<string, MemoryObject>();
  const heads = new Map<string, { seq: number; hash: string }>();
  const clientState = {
    readHead: async (repository: string) => heads.get(repository),
    writeHead: async (repository: string, head: { seq: number; hash: string }) => void heads.set(repository, head),
  };
  const { keys, repository } = await Repository.create(newStore(objects));
  const source = path.join(directory, 'source');
  writeFileSync(source, 'text');
  const run = () => repository.backup({ paths: [source], threads: 0 });
  await run();
  const before = new Map(objects);
  await run();
  const open = (kept: Map<string, MemoryObject>) =>
    Repository.open(new CachedLogStore(newStore(kept), file, systemEnvironment.random), { keys, clientState });
  for (let i = 0; i < 2; i++) {
    await using seen = await open(objects);
    expect(seen.archives()).toHaveLength(2);
  }
  await expect(open(before)).rejects.toMatchObject({ code: 'ROLLBACK_DETECTED' });
  truncateSync(file, 10);
  await expect(open(before)).rejects.toMatchObject({ code: 'ROLLBACK_DETECTED' });
});
