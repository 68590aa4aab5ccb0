import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { fromUtf8, type BackupReport, type Repository } from '../dist/index.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { makeHardTree } from '../dist/testing/hard-tree.js';
import { BackupScratch, contentIds } from './support/scratch.js';

const READER = fileURLToPath(new URL('../../../testkit/reader/cairn_reader.py', import.meta.url));
const isRoot = process.getuid?.() === 0;

let scratch: BackupScratch;
let repository: Repository;
let report: BackupReport;

beforeAll(async () => {
  scratch = await BackupScratch.create();
  makeHardTree(fromUtf8(scratch.source), { small: true, huge: true, depth: 1000 });
  repository = await scratch.open();
  report = await repository.backup({ paths: [scratch.source], threads: 2 });
});
afterAll(() => scratch[Symbol.dispose]());

describe('a tree with everything that makes trees hard to keep', () => {
  it('is stored without a problem', () => {
    expect(report.problems).toEqual([]);
    expect(report.archive.descriptor).toMatchObject({ complete: true, warnings: [] });
    expect(report.progress.directories).toBeGreaterThan(1000);
    expect(report.progress.bytes).toBeGreaterThan(2 ** 40);
  });

  it('comes back as it was', async () => {
    expect(await scratch.differences(repository, report)).toEqual([]);
  });

  it('gives the same trees whatever the number of threads', async () => {
    const ids = [await contentIds(repository, report.archive, scratch.source)];
    for (const threads of [0, 1, 2]) {
      const again = await repository.backup({ paths: [scratch.source], threads, series: `threads ${threads}` });
      expect(again.parent).toBeUndefined();
      // All but the entries of the directories above the source, which others change.
      expect(again.progress.newBytes).toBeLessThan(2000);
      ids.push(await contentIds(repository, again.archive, scratch.source));
    }
    expect(new Set(ids).size).toBe(1);
  });

  it('is taken over unread by the next run, whole', async () => {
    const next = await repository.backup({ paths: [scratch.source], threads: 2 });
    expect(next.parent).toBe(report.archive.name);
    expect(next.progress).toMatchObject({ files: report.progress.files, unchangedFiles: report.progress.files });
    expect(await contentIds(repository, next.archive, scratch.source)).toBe(
      await contentIds(repository, report.archive, scratch.source),
    );
  });

  it.runIf(isRoot)('is read by the independent reader', () => {
    const target = scratch.path('by-the-reader');
    const arguments_ = [READER, 'restore', scratch.storePath, '--key', scratch.keyFile(), report.archive.name, target];
    execFileSync('/usr/bin/python3', arguments_, { stdio: 'pipe' });
    // It sets no inode flags.
    const restored = fromUtf8(`${target}${scratch.source}`);
    expect(compareTrees(fromUtf8(scratch.source), restored, { sparse: true, ignore: ['flags'] })).toEqual([]);
  });
});
