import { DirectoryStore, systemEnvironment } from '@cairn/core/server';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { scrub, type ScrubOptions, type ScrubProgress, type ScrubReport } from './scrub.ts';

const PACKS = 12;
const SEGMENTS = 3;

let directory: string;
let store: DirectoryStore;
let names: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-scrub-'));
  store = await DirectoryStore.create(directory);
  names = [];
  for (let i = 0; i < PACKS + SEGMENTS; i += 1) {
    const bytes = Buffer.alloc(1000, i);
    const kind = i < PACKS ? 'packs' : 'index';
    const name = createHash('sha256').update(bytes).digest('hex');
    await store.put({ kind, name }, bytes);
    if (kind === 'packs') names.push(name);
  }
  names.sort();
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function damage(name = ''): string {
  writeFileSync(join(directory, 'packs', name.slice(0, 2), name), 'not what it was');
  return `packs/${name}`;
}

async function pass(options: Partial<ScrubOptions> = {}): Promise<ScrubReport> {
  return await scrub(store, { rate: undefined, clock: systemEnvironment.clock, ...options });
}

/** A pass that is stopped after so many objects, and how far it came. */
async function stoppedAfter(objects: number, from?: ScrubProgress): Promise<ScrubProgress | undefined> {
  const stop = new AbortController();
  let last: ScrubProgress | undefined;
  let read = 0;
  const onProgress = async (progress: ScrubProgress): Promise<void> => {
    last = structuredClone(progress);
    read += 1;
    if (read === objects) stop.abort();
  };
  await pass({ from, signal: stop.signal, onProgress });
  return last;
}

it('goes on where an earlier process left it, and reads and tells everything once', async () => {
  const bad = [damage(names[1]), damage(names[10])];
  let progress: ScrubProgress | undefined;
  for (let i = 0; i < 3; i += 1) progress = await stoppedAfter(4, progress);
  expect(progress).toMatchObject({ kind: 'packs', name: names.at(-1), objects: PACKS });
  const told: string[] = [];
  const report = await pass({ from: progress, onBad: (label) => told.push(label) });
  expect(report).toMatchObject({ objects: PACKS + SEGMENTS, bad });
  expect(told).toEqual([]);
  const { objects, bytes } = await pass();
  expect(report).toMatchObject({ objects, bytes });
});

it('goes on although the object that it read last went meanwhile', async () => {
  const progress = await stoppedAfter(5);
  await store.delete({ kind: 'packs', name: progress?.name ?? '' });
  expect(await pass({ from: progress })).toMatchObject({ objects: PACKS + SEGMENTS, bad: [] });
});

it('begins anew where it is not known how far it came', async () => {
  expect(await pass({ from: {} as ScrubProgress })).toMatchObject({ objects: PACKS + SEGMENTS, bad: [] });
});
