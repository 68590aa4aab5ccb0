import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Choice } from '../dist/backup/source-walk.js';
import { DirectoryStore, fromUtf8 } from '../dist/index.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { backup } from '../dist/verbs/backup.js';
import { expectNoneHeld, heldDescriptors } from './support/descriptors.js';
import { HookedStore } from './support/hooked-store.js';
import { BackupScratch } from './support/scratch.js';

const MiB = 1024 * 1024;
const FILES = 60;
const LARGE = 40;
const TOTAL = (FILES + LARGE) * MiB;

let scratch: BackupScratch;
beforeEach(async () => {
  scratch = await BackupScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

describe.each([0, 1, 2])('a backup with %i threads that is stopped', (threads) => {
  it('while it stores leaves no archive, holds nothing open, and is continued by the next', async () => {
    for (let i = 0; i < FILES; i++) writeFileSync(scratch.in(`file-${i}`), pseudoRandomBytes(`file ${i}`, MiB));
    writeFileSync(scratch.in('large'), pseudoRandomBytes('large', LARGE * MiB));
    const controller = new AbortController();
    const hooks = { beforePut: (_: unknown, count: number): void => (count === 3 ? controller.abort() : undefined) };
    const store = new HookedStore(await DirectoryStore.open(scratch.storePath), hooks);
    const stopped = await scratch.open({ store });
    const held = heldDescriptors();
    const run = stopped.backup({ paths: [scratch.source], threads }, { signal: controller.signal });
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
    await expectNoneHeld(held);

    const repository = await scratch.open();
    expect(repository.archives()).toEqual([]);
    const check = await repository.check({ threads: 0 });
    expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    const next = await repository.backup({ paths: [scratch.source], threads });
    // Three packs of 16 MiB were on their way at the least.
    expect(next.progress.newBytes).toBeLessThan(TOTAL - 40 * MiB);
    expect(next.progress.newBytes).toBeGreaterThan(MiB);
    expect(await scratch.differences(repository, next)).toEqual([]);
    await expectNoneHeld(held);
  });

  it('while it walks leaves no archive and holds nothing open', async () => {
    for (let d = 0; d < 10; d++) {
      mkdirSync(scratch.in(`directory-${d}`));
      for (let i = 0; i < 80; i++) writeFileSync(scratch.in(`directory-${d}`, `file-${i}`), `${d} ${i}`);
    }
    const controller = new AbortController();
    let met = 0;
    const choose = (): Choice => {
      met += 1;
      if (met === 400) controller.abort();
      return 'take';
    };
    const held = heldDescriptors();
    const { access } = await scratch.open();
    const options = { paths: [fromUtf8(scratch.source)], choose, threads };
    await expect(backup(access, options, { signal: controller.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(access.log.seq).toBe(0);
    await expectNoneHeld(held);
  });
});

it('a backup whose signal fired before does nothing', async () => {
  writeFileSync(scratch.in('file'), 'content');
  const repository = await scratch.open();
  const run = repository.backup({ paths: [scratch.source] }, { signal: AbortSignal.abort() });
  await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(repository.archives()).toEqual([]);
});

it('a backup whose caller fails while it is told of progress or problems fails with that', async () => {
  for (let i = 0; i < 200; i++) writeFileSync(scratch.in(`file-${i}`), `${i}`);
  const held = heldDescriptors();
  const repository = await scratch.open();
  const failing = (): never => {
    throw new Error('the caller failed');
  };
  const missing = repository.backup({ paths: [scratch.source, scratch.in('missing')] }, { onProblem: failing });
  await expect(missing).resolves.toMatchObject({ problems: [] });
  const gone = repository.backup({ paths: [scratch.in('file-1'), scratch.in('missing')] }, { onProblem: failing });
  await expect(gone).rejects.toThrow('the caller failed');
  await expectNoneHeld(held);
});
