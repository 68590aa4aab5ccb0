import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createRepository } from '../dist/repository/create.js';
import { DirectoryStore, fromUtf8, nodeSuite, Repository, systemEnvironment } from '../dist/index.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { expectNoneHeld, heldDescriptors } from './support/descriptors.js';
import { mountMemory } from './support/memory-mount.js';
import { BackupScratch } from './support/scratch.js';

const MiB = 1024 * 1024;
let scratch: BackupScratch;
let place = '';
let mounted = false;

beforeEach(async () => {
  scratch = await BackupScratch.create();
  place = scratch.path('small');
  mkdirSync(place);
  mounted = mountMemory(place, '60m');
});
afterEach(() => {
  if (mounted) execFileSync('umount', [place]);
  scratch[Symbol.dispose]();
});

describe.each([0, 2])('a store without space (%i threads)', (threads) => {
  it('ends the run; what is there stays good, and the next run goes on once there is space', async ({ skip }) => {
    if (!mounted) skip('no file system can be mounted here');
    const path = join(place, 'repository');
    const store = await DirectoryStore.create(path);
    const keys = await createRepository(store, nodeSuite, systemEnvironment);
    const open = async (): Promise<Repository> => await Repository.open(await DirectoryStore.open(path), { keys });
    writeFileSync(scratch.in('first'), pseudoRandomBytes('first', 2 * MiB));
    const first = await (await open()).backup({ paths: [scratch.source], threads });
    writeFileSync(join(place, 'ballast'), Buffer.alloc(15 * MiB, 1));

    for (let i = 0; i < 48; i++) writeFileSync(scratch.in(`file-${i}`), pseudoRandomBytes(`file ${i}`, MiB));
    const held = heldDescriptors();
    const run = (await open()).backup({ paths: [scratch.source], threads });
    await expect(run).rejects.toMatchObject({ code: 'STORE_FULL' });
    await expectNoneHeld(held);
    expect(readdirSync(join(path, 'tmp'))).toEqual([]);

    const full = await open();
    expect(full.archives().map(({ id }) => id)).toEqual([first.archive.id]);
    const check = await full.check({ data: true, threads: 0 });
    expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    await full.restore(first.archive, scratch.path('out'));

    rmSync(join(place, 'ballast'));
    const repository = await open();
    const next = await repository.backup({ paths: [scratch.source], threads });
    // At least one pack was there, and listed, when the space ran out.
    expect(next.progress.newBytes).toBeLessThan(34 * MiB);
    await repository.restore(next.archive, scratch.path('all'), { privileged: true });
    const restored = fromUtf8(`${scratch.path('all')}${scratch.source}`);
    expect(compareTrees(fromUtf8(scratch.source), restored)).toEqual([]);
  });
});
