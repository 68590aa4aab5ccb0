import { existsSync, readdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ArchiveBuilder, directoryNode, fileNode } from '../testing/archive-builder.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { removeTree } from '../testing/remove-tree.ts';
import { RestoreScratch } from '../testing/restore-scratch.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import { checkRepository } from './check.ts';
import { diffArchives } from './diff.ts';
import { findPaths } from './find.ts';
import { listSlots } from './key-slots.ts';

/** Before a call was made, or after it, so that only its answer is lost. */
const MOMENTS = ['before', 'after'] as const;
const FILES = 5;
const contentOf = (name: string): Uint8Array => pseudoRandomBytes(name, 5_000);

let builder: ArchiveBuilder;
let archives: readonly [ArchiveRecord, ArchiveRecord];

beforeAll(async () => {
  builder = await ArchiveBuilder.create();
  const same = directoryNode('same', [fileNode('notes', 'as ever')]);
  const names = ['a', 'b', 'c'];
  archives = [
    await builder.commit([same, ...names.map((name) => fileNode(name, [contentOf(name)]))], { packBytes: 1 }),
    await builder.commit([same, fileNode('b', 'another'), directoryNode('c', [fileNode('notes', 'new')])]),
  ];
});

async function all<T, U>(given: AsyncIterable<T>, of: (one: T) => U): Promise<U[]> {
  const found: U[] = [];
  for await (const one of given) found.push(of(one));
  return found;
}

const viewOf = async (access: RepositoryAccess): Promise<ArchiveView> =>
  new ArchiveView(await access.chunkReader(), archives[0]);

/** What each verb gives. */
const VERBS: Readonly<Record<string, (access: RepositoryAccess) => Promise<unknown>>> = {
  list: async ({ log }) => log.state.live().map(({ id }) => id),
  ls: async (access) => await all((await viewOf(access)).walk('/'), ({ path, entry }) => `${path} ${entry.kind}`),
  cat: async (access) => Buffer.concat(await all((await viewOf(access)).read('/b'), (part) => part)).toString('hex'),
  find: async (access) =>
    await all(
      findPaths(access, { match: (path) => path.endsWith('/notes') }),
      ({ archive, path }) => archive.id + path,
    ),
  diff: async (access) => await all(diffArchives(access, ...archives), ({ change, path }) => `${change} ${path}`),
  'key slot list': async ({ store }) => await listSlots(store),
};

const codeOf = (error: unknown): string => (isCairnError(error) ? error.code : String(error));

describe.each(Object.keys(VERBS))('%s on a store that fails one call', (verb) => {
  it.each(MOMENTS)('(%s it was done) gives everything, or says that the store failed', async (when) => {
    const work = VERBS[verb] as (typeof VERBS)[string];
    const whole = await work(await builder.access());
    for (let at = 1; ; at++) {
      const store = new FaultyStore(builder.store, [{ at, when }]);
      const outcome = await builder
        .access(store)
        .then(work)
        .catch((error: unknown) => codeOf(error));
      if (outcome !== 'STORE_FAILED') expect(outcome).toEqual(whole);
      if (outcome !== 'STORE_FAILED' && store.operations < at) break;
    }
    expect((await checkRepository(await builder.access(), { threads: 0 })).errors).toBe(0);
  });
});

describe('restore on a store that fails one call', () => {
  it.each(MOMENTS)('(%s it was done) restores everything, or fails and leaves whole files only', async (when) => {
    using scratch = await RestoreScratch.create();
    const names = Array.from({ length: FILES }, (_, i) => `file-${i}`);
    const nodes = names.map((name) => fileNode(name, [contentOf(name)]));
    const archive = await scratch.builder.commit(nodes, { packBytes: 1 });
    for (let at = 1; ; at++) {
      const store = new FaultyStore(scratch.builder.store, [{ at, when }]);
      const outcome = await scratch.restore(archive, {}, {}, store).then(({ problems }) => problems, codeOf);
      const restored = existsSync(scratch.target) ? readdirSync(scratch.target) : [];
      for (const name of restored) expect(scratch.bytes(name).equals(contentOf(name))).toBe(true);
      if (outcome !== 'STORE_FAILED') {
        expect(outcome).toEqual([]);
        expect(restored.toSorted()).toEqual(names);
        if (store.operations < at) break;
      }
      if (existsSync(scratch.target)) removeTree(scratch.target);
    }
  });
});
