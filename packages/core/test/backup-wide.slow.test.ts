import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { fromUtf8, type BackupReport, type Repository } from '../dist/index.js';
import { makeHardTree } from '../dist/testing/hard-tree.js';
import { expectNoneHeld, heldDescriptors } from './support/descriptors.js';
import { BackupScratch, contentIds } from './support/scratch.js';

const ENTRIES = 100_000;

let scratch: BackupScratch;
let repository: Repository;
let report: BackupReport;
let held: string[];

beforeAll(async () => {
  scratch = await BackupScratch.create(undefined, true);
  makeHardTree(fromUtf8(scratch.source), { small: true, entries: ENTRIES, depth: 4000 });
  repository = await scratch.open();
  held = heldDescriptors();
  report = await repository.backup({ paths: [scratch.source], threads: 2 });
}, 120_000);
afterAll(() => scratch[Symbol.dispose](), 120_000);

describe(`a directory of ${ENTRIES} entries, and 4,000 nested ones`, { timeout: 120_000 }, () => {
  it('are stored without a problem, and nothing is left open', async () => {
    expect(report.problems).toEqual([]);
    expect(report.progress.files).toBeGreaterThan(ENTRIES);
    expect(report.progress.directories).toBeGreaterThan(4000);
    await expectNoneHeld(held);
  });

  it('come back as they were', async () => {
    expect(await scratch.differences(repository, report)).toEqual([]);
    await expectNoneHeld(held);
  });

  it('are taken over unread', async () => {
    const next = await repository.backup({ paths: [scratch.source], threads: 0 });
    expect(next.progress.unchangedFiles).toBe(report.progress.files);
    expect(await contentIds(repository, next.archive, scratch.source)).toBe(
      await contentIds(repository, report.archive, scratch.source),
    );
  });
});
