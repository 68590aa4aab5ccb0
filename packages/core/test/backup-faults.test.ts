import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  CairnError,
  DirectoryStore,
  fromUtf8,
  isCairnError,
  type BackupReport,
  type Repository,
} from '../dist/index.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { FaultyStore, type Fault } from '../dist/testing/faulty-store.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { expectNoneHeld, heldDescriptors } from './support/descriptors.js';
import { HookedStore } from './support/hooked-store.js';
import { BackupScratch } from './support/scratch.js';

const MiB = 1024 * 1024;

let scratch: BackupScratch;
let source = '';
let before: BackupReport;
let round = 0;

beforeEach(async () => {
  scratch = await BackupScratch.create();
  source = scratch.source;
  for (let i = 0; i < 20; i++) writeFileSync(scratch.in(`file-${i}`), pseudoRandomBytes(`file ${i}`, 10_000));
  before = await (await scratch.open()).backup({ paths: [source], threads: 0 });
  cpSync(scratch.storePath, scratch.path('base'), { recursive: true, preserveTimestamps: true });
});
afterEach(() => scratch[Symbol.dispose]());

/** The repository as it was at first: a run makes the same calls in every round. */
function startAgain(): void {
  rmSync(scratch.storePath, { recursive: true });
  cpSync(scratch.path('base'), scratch.storePath, { recursive: true, preserveTimestamps: true });
}

/** Something new to store, so that every round has packs, a segment and a log entry to put. */
function change(bytes: number): void {
  round += 1;
  writeFileSync(scratch.in('changing'), pseudoRandomBytes(`round ${round}`, bytes));
}

/** A backup through a store with that fault: its error, or undefined when it succeeded; and the calls it made. */
async function faultyBackup(
  fault: Fault,
  threads: number,
): Promise<{ readonly error: unknown; readonly operations: number }> {
  const store = new FaultyStore(await DirectoryStore.open(scratch.storePath), [fault]);
  try {
    const repository = await scratch.open({ store });
    await repository.backup({ paths: [source], threads, series: 'faulty' });
    return { error: undefined, operations: store.operations };
  } catch (error) {
    return { error, operations: store.operations };
  }
}

async function expectSound(threads: number): Promise<void> {
  const repository = await scratch.open();
  const check = await repository.check({ threads: 0 });
  expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  await expectEarlierArchive(repository);
  const next = await repository.backup({ paths: [source], threads, series: 'next' });
  expect(next.archive.descriptor.complete).toBe(true);
  const { restored } = await scratch.restore(repository, next.archive);
  expect(compareTrees(fromUtf8(source), fromUtf8(restored))).toEqual([]);
}

async function expectEarlierArchive(repository: Repository): Promise<void> {
  const view = await repository.view(before.archive);
  for (let i = 0; i < 20; i += 7) {
    const parts: Uint8Array[] = [];
    for await (const part of view.read(fromUtf8(scratch.in(`file-${i}`)))) parts.push(part);
    expect(Buffer.concat(parts).equals(readFileSync(scratch.in(`file-${i}`)))).toBe(true);
  }
}

describe.each(['before', 'after'] as const)('a store that fails one call (%s it was done)', (when) => {
  it('never hurts what is there, whichever call it is', async () => {
    const codes = new Set<string>();
    for (let at = 1; ; at++) {
      startAgain();
      change(100_000);
      const held = heldDescriptors();
      const { error, operations } = await faultyBackup({ at, when }, 0);
      await expectNoneHeld(held);
      // With a fault after the last call, that call's answer is what got lost.
      if (error === undefined && operations < at) break;
      if (error !== undefined) codes.add(isCairnError(error) ? error.code : String(error));
      await expectSound(0);
    }
    expect([...codes]).toEqual(['STORE_FAILED']);
  });

  it('never hurts what is there when it is about a pack, and threads are at work', async () => {
    for (const at of [1, 2, 3, 4]) {
      for (let i = 0; i < 3; i++) {
        writeFileSync(scratch.in(`large-${i}`), pseudoRandomBytes(`${when} ${at} ${i}`, 13 * MiB));
      }
      const held = heldDescriptors();
      const { error } = await faultyBackup({ operation: 'put', at, when }, 2);
      expect(isCairnError(error, 'STORE_FAILED')).toBe(true);
      await expectNoneHeld(held);
    }
    await expectSound(2);
  });
});

describe('a store that fails', () => {
  it('says why the run ended, not why the rest failed, too', async () => {
    change(20 * MiB);
    const store = new HookedStore(await DirectoryStore.open(scratch.storePath), {
      beforePut({ kind }) {
        throw kind === 'packs' ? new CairnError('STORE_FULL', 'first') : new CairnError('STORE_DENIED', 'second');
      },
    });
    for (const threads of [0, 2]) {
      const repository = await scratch.open({ store });
      const run = repository.backup({ paths: [source], threads });
      await expect(run).rejects.toMatchObject({ code: 'STORE_FULL', message: 'first' });
    }
  });

  it('has what was durable listed, so that the next run stores only the rest', async () => {
    const bytes = 3 * 13 * MiB;
    for (let i = 0; i < 3; i++) writeFileSync(scratch.in(`large-${i}`), pseudoRandomBytes(`large ${i}`, 13 * MiB));
    for (const threads of [0, 2]) {
      // The third pack fails.
      const { error } = await faultyBackup({ operation: 'put', at: 3, when: 'before' }, threads);
      expect(error).toBeDefined();
      const repository = await scratch.open();
      const next = await repository.backup({ paths: [source], threads, series: `next ${threads}`, dryRun: true });
      expect(next.progress.newBytes).toBeLessThan(bytes - 16 * MiB);
      expect(next.progress.newBytes).toBeGreaterThan(MiB);
      if (threads === 2) expect((await repository.backup({ paths: [source] })).archive.descriptor.complete).toBe(true);
      for (const name of ['large-0', 'large-1', 'large-2']) {
        writeFileSync(scratch.in(name), pseudoRandomBytes(`${name} ${threads}`, 13 * MiB));
      }
    }
  });
});

describe('a store that answers each put with "it is there already", because an earlier attempt got through', () => {
  it.each([0, 2])('has what was to be put, and the archive is whole (%i threads)', async (threads) => {
    change(20 * MiB);
    const exists = (what: string): Error => new CairnError('OBJECT_EXISTS', `${what} is there already`);
    const { error } = await faultyBackup(
      { at: 1, times: Infinity, operation: 'put', when: 'after', error: exists },
      threads,
    );
    expect(error).toBeUndefined();
    await expectSound(threads);
  });
});
