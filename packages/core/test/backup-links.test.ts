import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fromUtf8, type BackupReport, type TreeEntry } from '../dist/index.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { mountMemory } from './support/memory-mount.js';
import { BackupScratch, SMALL_CHUNKS } from './support/scratch.js';

const MiB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;

let scratch: BackupScratch;
let mounted: string[];

beforeEach(async () => {
  scratch = await BackupScratch.create(SMALL_CHUNKS);
  mounted = [];
});
afterEach(() => {
  for (const place of mounted) execFileSync('umount', [place]);
  scratch[Symbol.dispose]();
});

async function backup(threads: number): Promise<BackupReport> {
  return await (await scratch.open()).backup({ paths: [scratch.source], threads });
}

async function entry({ archive }: BackupReport, name: string): Promise<TreeEntry> {
  return await (await (await scratch.open()).view(archive)).entry(fromUtf8(scratch.in(name)));
}

async function expectWhole(report: BackupReport): Promise<void> {
  expect(report.problems).toEqual([]);
  expect(await scratch.differences(await scratch.open(), report)).toEqual([]);
}

describe.each([0, 2])('files of several names (%i threads)', (threads) => {
  it('are read once, and stay one file, across directories and sizes', async () => {
    for (const directory of ['a', 'b', 'b/c', 'd']) mkdirSync(scratch.in(directory));
    const sizes = { empty: 0, small: 100, listed: 3 * MiB, large: 20 * MiB };
    for (const [name, size] of Object.entries(sizes)) {
      writeFileSync(scratch.in('a', name), pseudoRandomBytes(name, size));
      for (const other of [`b/${name}`, `b/c/${name} again`, `d/${name}`]) {
        linkSync(scratch.in('a', name), scratch.in(other));
      }
    }
    const report = await backup(threads);
    expect(report.progress.files).toBe(16);
    expect(report.progress.newBytes).toBeLessThan(1.1 * (23 * MiB));
    expect((await entry(report, 'd/large')).link).toBe(0);
    await expectWhole(report);
    const next = await backup(threads);
    expect(next.progress).toMatchObject({ files: 16, unchangedFiles: 16 });
    await expectWhole(next);
  });

  it('some of which lie outside of the source', async () => {
    writeFileSync(scratch.in('inside'), 'content');
    linkSync(scratch.in('inside'), scratch.path('outside'));
    await expectWhole(await backup(threads));
  });

  it('stay one file when a name is added, moved or removed between runs', async () => {
    mkdirSync(scratch.in('first'));
    mkdirSync(scratch.in('other'));
    writeFileSync(scratch.in('first', 'one'), 'content');
    linkSync(scratch.in('first', 'one'), scratch.in('other', 'two'));
    await expectWhole(await backup(threads));
    linkSync(scratch.in('first', 'one'), scratch.in('zero'));
    await expectWhole(await backup(threads));
    // Moves names without touching the file: one name is new to the archive, the others are unchanged.
    renameSync(scratch.in('first'), scratch.in('renamed'));
    const moved = await backup(threads);
    expect(moved.progress.unchangedFiles).toBe(2);
    await expectWhole(moved);
    unlinkSync(scratch.in('zero'));
    unlinkSync(scratch.in('other', 'two'));
    const single = await backup(threads);
    expect((await entry(single, 'renamed/one')).link).toBeNull();
    await expectWhole(single);
  });

  it.runIf(isRoot)('on several file systems are not taken for one another', async ({ skip }) => {
    const file = (place: string, name: string): string => scratch.in(place, name);
    for (const place of ['m1', 'm2', 'm3']) {
      mkdirSync(scratch.in(place));
      if (!mountMemory(scratch.in(place), '8m')) skip('no file system can be mounted here');
      mounted.push(scratch.in(place));
    }
    for (const place of ['m1', 'm2', 'm3']) {
      for (const name of ['one', 'two']) {
        writeFileSync(file(place, name), `${place} ${name}`);
        linkSync(file(place, name), file(place, `${name} again`));
      }
    }
    // File systems in memory count inodes from the same number.
    expect(statSync(file('m1', 'one')).ino).toBe(statSync(file('m2', 'one')).ino);
    const report = await backup(threads);
    expect([await entry(report, 'm1/one'), await entry(report, 'm3/one')].map(({ link }) => link)).toEqual([0, 2]);
    await expectWhole(report);

    // Only what lies on the last one is read again, and met as the first file system of the run.
    writeFileSync(file('m3', 'one'), 'changed, and shorter or longer');
    renameSync(file('m2', 'two'), file('m2', 'a new name'));
    const next = await backup(threads);
    expect(next.progress.unchangedFiles).toBeGreaterThanOrEqual(6);
    await expectWhole(next);
    expect(readdirSync(scratch.in('m2')).toSorted()).toEqual(['a new name', 'one', 'one again', 'two again']);
  });
});
