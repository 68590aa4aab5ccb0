import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DirectoryStore, fromUtf8, isCairnError, nodeSuite, Repository, systemEnvironment } from '../dist/index.js';
import { createRepository } from '../dist/repository/create.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { mountMemory } from './support/memory-mount.js';
import { BackupScratch } from './support/scratch.js';

const MiB = 1024 * 1024;
const FILES = 20;

let scratch: BackupScratch;
let place = '';
let mounted = false;
let open: () => Promise<Repository>;

beforeEach(async ({ skip }) => {
  scratch = await BackupScratch.create();
  place = scratch.path('small');
  mkdirSync(place);
  mounted = mountMemory(place, '60m');
  if (!mounted) skip('no file system can be mounted here');
  const path = join(place, 'repository');
  const keys = await createRepository(await DirectoryStore.create(path), nodeSuite, systemEnvironment);
  open = async () => await Repository.open(await DirectoryStore.open(path), { keys });
  // Half of what each archive has is in the next one, too: packs are half needed when it goes.
  for (let i = 0; i < 4; i++) {
    for (let k = 0; k < FILES; k++) {
      if (i === 0 || k % 2 === 0) writeFileSync(scratch.in(`file-${k}`), pseudoRandomBytes(`${i} ${k}`, MiB / 4));
    }
    await (await open()).backup({ paths: [scratch.source], threads: 0, series: 'web' });
  }
});
afterEach(() => {
  if (mounted) execFileSync('umount', [place]);
  scratch[Symbol.dispose]();
});

async function expectWhole(): Promise<void> {
  const repository = await open();
  const check = await repository.check({ data: true, threads: 0 });
  expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  const target = scratch.path('restored');
  rmSync(target, { recursive: true, force: true });
  await repository.restore('latest', target, { privileged: true, threads: 0 });
  expect(compareTrees(fromUtf8(scratch.source), fromUtf8(`${target}${scratch.source}`))).toEqual([]);
}

const prune = async (): Promise<number> => {
  const repository = await open();
  return (await repository.prune(await repository.planPrune({ policy: { last: 1 } }))).removed.length;
};
const compact = async (): Promise<number> => {
  const repository = await open();
  return (await repository.compact({ graceMs: 0, maxUnused: 0 })).removed.bytes;
};

/** Fills the file system until nothing fits any more. */
function fill(): void {
  for (const bytes of [MiB, 64 * 1024, 4096]) {
    for (let i = 0; ; i++) {
      try {
        writeFileSync(join(place, `ballast-${bytes}-${i}`), Buffer.alloc(bytes, 1));
      } catch {
        rmSync(join(place, `ballast-${bytes}-${i}`), { force: true });
        break;
      }
    }
  }
}

function makeRoom(): void {
  for (const bytes of [MiB, 64 * 1024, 4096]) {
    for (let i = 0; i < 1000; i++) rmSync(join(place, `ballast-${bytes}-${i}`), { force: true });
  }
}

describe('prune and compact in a store without space', () => {
  it('fail, hurt nothing, and do their work once there is space', { timeout: 120_000 }, async () => {
    fill();
    await expect(prune()).rejects.toSatisfy((error) => isCairnError(error, 'STORE_FULL'));
    expect((await open()).archives()).toHaveLength(4);
    makeRoom();
    expect(await prune()).toBe(3);
    fill();
    await expect(compact()).rejects.toSatisfy((error) => isCairnError(error, 'STORE_FULL'));
    await expectWhole();
    makeRoom();
    expect(await compact()).toBeGreaterThan(4 * MiB);
    await expectWhole();
  });
});

describe('prune and compact in a store that can only be read', () => {
  it('are refused, and what is there can be read', async () => {
    const repository = await open();
    await repository.delete(await repository.planDelete(repository.archives().slice(0, 1)));
    execFileSync('mount', ['-o', 'remount,ro', place]);
    for (const work of [prune, compact]) {
      await expect(work()).rejects.toSatisfy((error) => isCairnError(error, 'STORE_DENIED'));
    }
    expect((await open()).archives()).toHaveLength(3);
    await expectWhole();
  });
});
