import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DirectoryStore, type BackupReport, type Repository } from '../dist/index.js';
import type { LogEntry } from '../dist/log/kinds.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { HookedStore } from './support/hooked-store.js';
import { BackupScratch } from './support/scratch.js';

let scratch: BackupScratch;
let first: BackupReport;

beforeEach(async () => {
  scratch = await BackupScratch.create();
  mkdirSync(scratch.in('directory'));
  for (let i = 0; i < 10; i++) writeFileSync(scratch.in('directory', `file-${i}`), pseudoRandomBytes(`${i}`, 50_000));
  first = await (await scratch.open()).backup({ paths: [scratch.source], threads: 0 });
});
afterEach(() => scratch[Symbol.dispose]());

async function namesOf(kind: 'packs' | 'index'): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of (await DirectoryStore.open(scratch.storePath)).list(kind)) names.push(name);
  return names.toSorted();
}

async function append(repository: Repository, ...entries: readonly LogEntry[]): Promise<void> {
  for (const entry of entries) await repository.access.log.append(() => entry);
}

/** A collector with another view: drops the first archive and condemns those packs. */
async function condemn(packs: readonly string[]): Promise<void> {
  const archives = [first.archive.id];
  await append(
    await scratch.open(),
    { kind: 'DELETE', archives, reason: 'test' },
    { kind: 'CONDEMN', dropped: archives, packs, segments: [], reason: 'test' },
  );
}

/** Goes on with what was condemned, and removes the bytes. */
async function sweep(packs: readonly string[]): Promise<void> {
  await append(await scratch.open(), { kind: 'SWEEP', packs, segments: [] });
  const store = await DirectoryStore.open(scratch.storePath);
  for (const name of packs) await store.delete({ kind: 'packs', name });
}

/** A repository in which `action` happens when a run is about to put its last segment: right before its COMMIT. */
async function openWith(action: () => Promise<void>): Promise<Repository> {
  let done = false;
  const store = new HookedStore(await DirectoryStore.open(scratch.storePath), {
    async beforePut({ kind }) {
      if (kind !== 'index' || done) return;
      done = true;
      await action();
    },
  });
  return await scratch.open({ store });
}

async function expectWhole(report: BackupReport): Promise<void> {
  const repository = await scratch.open();
  expect(await scratch.differences(repository, report)).toEqual([]);
  const check = await repository.check({ data: true, threads: 0 });
  expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
}

/** Changes the source a little, so that a run has a segment to put and yet relies on what is there. */
function changeOne(): void {
  writeFileSync(scratch.in('directory', 'file-3'), 'changed');
}

describe.each([0, 2])('a run that relies on packs which a collector condemns meanwhile (%i threads)', (threads) => {
  it('rescues those that it needs in its COMMIT, and no others', async () => {
    changeOne();
    const packs = await namesOf('packs');
    const repository = await openWith(() => condemn(packs));
    const report = await repository.backup({ paths: [scratch.source], threads });
    expect(report.progress.unchangedFiles).toBe(9);
    const { state } = (await scratch.open()).access.log;
    // The trees of the first archive are not needed: each directory on the way has changed.
    const rest = [...state.condemnedPacks.keys()];
    expect(rest).toHaveLength(packs.length - 1);
    await sweep(rest);
    await expectWhole(report);
  });

  it('stores their chunks again when they are swept by then', async () => {
    changeOne();
    const packs = await namesOf('packs');
    const repository = await openWith(async () => {
      await condemn(packs);
      await sweep(packs);
    });
    const report = await repository.backup({ paths: [scratch.source], threads });
    // The archive to compare with is dropped, so every file was read again.
    expect(report).toMatchObject({ parent: undefined, progress: { files: 10, unchangedFiles: 0 } });
    expect((await namesOf('packs')).filter((name) => packs.includes(name))).toEqual([]);
    await expectWhole(report);
    expect((await scratch.open()).archives().map(({ id }) => id)).toEqual([report.archive.id]);
  });

  it('stores its own packs again when they are swept by then', async () => {
    changeOne();
    let own: string[] = [];
    const before = await namesOf('packs');
    const repository = await openWith(async () => {
      own = (await namesOf('packs')).filter((name) => !before.includes(name));
      const collector = await scratch.open();
      await append(collector, { kind: 'CONDEMN', dropped: [], packs: own, segments: [], reason: 'orphans' });
      await sweep(own);
    });
    const report = await repository.backup({ paths: [scratch.source], threads });
    expect(own.length).toBeGreaterThan(0);
    await expectWhole(report);
  });

  it('gives up when that happens every time', async () => {
    changeOne();
    const before = await namesOf('packs');
    let rounds = 0;
    const store = new HookedStore(await DirectoryStore.open(scratch.storePath), {
      async beforePut({ kind }) {
        if (kind !== 'index') return;
        rounds += 1;
        const own = (await namesOf('packs')).filter((name) => !before.includes(name));
        const entry = { kind: 'CONDEMN', dropped: [], packs: own, segments: [], reason: 'orphans' } as const;
        await append(await scratch.open(), entry);
        await sweep(own);
      },
    });
    const repository = await scratch.open({ store });
    const run = repository.backup({ paths: [scratch.source], threads });
    await expect(run).rejects.toMatchObject({ code: 'PLAN_STALE' });
    expect(rounds).toBe(3);
    await expectWhole(await (await scratch.open()).backup({ paths: [scratch.source], threads }));
  });
});

describe('the archive to compare with', () => {
  it('is not one that was dropped, nor one that a cache still has', async () => {
    const once = await scratch.open({ rights: 'write', remember: true });
    first = await once.backup({ paths: [scratch.source], series: 'cached', threads: 0 });
    await condemn([]);
    const again = await scratch.open({ rights: 'write', remember: true });
    const report = await again.backup({ paths: [scratch.source], series: 'cached', threads: 0 });
    expect(report).toMatchObject({ parent: undefined, progress: { unchangedFiles: 0 } });
    await expectWhole(report);
  });

  it('is one that is hidden', async () => {
    await append(await scratch.open(), { kind: 'DELETE', archives: [first.archive.id], reason: 'test' });
    const report = await (await scratch.open()).backup({ paths: [scratch.source], threads: 0 });
    expect(report).toMatchObject({ parent: first.archive.name, progress: { unchangedFiles: 10 } });
  });
});
