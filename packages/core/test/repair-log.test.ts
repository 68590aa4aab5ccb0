import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  DirectoryStore,
  isCairnError,
  Repository,
  type ArchiveRecord,
  type ClientState,
  type LogRepairPlan,
} from '../dist/index.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { BackupScratch, contentOf } from './support/scratch.js';

let scratch: BackupScratch;
let archives: ArchiveRecord[];

beforeEach(async () => {
  scratch = await BackupScratch.create();
  archives = [];
  for (const round of [1, 2, 3]) {
    writeFileSync(scratch.in('file'), pseudoRandomBytes(`round ${round}`, 10_000));
    const repository = await scratch.open({ remember: true });
    archives.push((await repository.backup({ paths: [scratch.source], threads: 0, series: `${round}` })).archive);
  }
});
afterEach(() => scratch[Symbol.dispose]());

const entries = (): string[] => readdirSync(scratch.path('repository', 'log')).toSorted();
const pathOf = (entry: string): string => scratch.path('repository', 'log', entry);

function hurtNewest(change: (whole: Buffer) => Uint8Array): Buffer {
  const newest = pathOf(entries().at(-1) ?? '');
  const whole = readFileSync(newest);
  writeFileSync(newest, change(whole));
  return whole;
}

/** What a machine remembers of where the log stood. */
function memory(head?: { readonly seq: number; readonly hash: string }): ClientState {
  let kept = head;
  return {
    readHead: () => Promise.resolve(kept),
    writeHead: (_, fresh) => {
      kept = fresh;
      return Promise.resolve();
    },
  };
}

async function repairLog(clientState?: ClientState): Promise<LogRepairPlan | undefined> {
  const store = await DirectoryStore.open(scratch.storePath);
  const options = { keys: scratch.keys, ...(clientState === undefined ? {} : { clientState }) };
  const before = entries();
  const plan = await Repository.planLogRepair(store, options);
  expect(entries()).toEqual(before);
  if (plan !== undefined) await Repository.repairLog(store, plan, options);
  return plan;
}

async function expectArchives(count: number): Promise<Repository> {
  const repository = await scratch.open();
  expect(repository.archives().map(({ id }) => id)).toEqual(archives.slice(0, count).map(({ id }) => id));
  for (const [i, archive] of archives.slice(0, count).entries()) {
    const content = await contentOf(repository, archive, scratch.in('file'));
    expect(content.equals(Buffer.from(pseudoRandomBytes(`round ${i + 1}`, 10_000)))).toBe(true);
  }
  return repository;
}

async function expectUsable(): Promise<void> {
  const repository = await scratch.open();
  const report = await repository.backup({ paths: [scratch.source], threads: 0, series: 'after' });
  expect(await scratch.differences(repository, report)).toEqual([]);
  const { findings } = await (await scratch.open()).check({ data: true, threads: 0 });
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
}

describe('the newest entry of the log of a directory', () => {
  it.each([
    ['empty', () => Buffer.alloc(0)],
    ['a few bytes', (whole: Buffer) => whole.subarray(0, 3)],
    ['cut in its head', (whole: Buffer) => whole.subarray(0, 79)],
    ['without its last byte', (whole: Buffer) => whole.subarray(0, -1)],
    ['nothing but zeros', (whole: Buffer) => Buffer.alloc(whole.length)],
    ['zeros at its end', (whole: Buffer) => Buffer.concat([whole.subarray(0, 100), Buffer.alloc(whole.length - 100)])],
    ['with another bit', (whole: Buffer) => Buffer.concat([whole.subarray(0, -1), Buffer.of((whole.at(-1) ?? 0) ^ 1)])],
  ])('is set aside when it is %s, and no other archive is lost', async (_, change) => {
    hurtNewest(change);
    // One of which the public half is sound is passed over, and told of.
    const opened = await scratch.open().catch((error: unknown) => error);
    const told = opened instanceof Repository ? opened.doubts()[0] : opened;
    expect(told).toSatisfy((error) => isCairnError(error, 'CORRUPT'));
    expect(await repairLog()).toMatchObject({ seq: 3, seen: false });
    await expectArchives(2);
    await expectUsable();
  });

  it('stays where it is when it is whole, and when it only follows another history', async () => {
    expect(await repairLog()).toBeUndefined();
    const [first = ''] = entries();
    hurtNewest(() => readFileSync(pathOf(first)));
    expect(await repairLog()).toBeUndefined();
    expect(entries()).toHaveLength(3);
  });

  it('stays where it is when an earlier one is damaged, too, or missing', async () => {
    const whole = hurtNewest((bytes) => bytes.subarray(0, 100));
    const second = pathOf(entries()[1] ?? '');
    writeFileSync(second, readFileSync(second).subarray(0, 100));
    await expect(repairLog()).rejects.toSatisfy((error) => isCairnError(error, 'CORRUPT'));
    expect(entries()).toHaveLength(3);
    hurtNewest(() => whole);
  });

  it('is told apart by whether this machine saw it whole, which it then forgets', async () => {
    const { head } = await headOf();
    hurtNewest((bytes) => bytes.subarray(0, 100));
    const clientState = memory(head);
    expect(await repairLog(clientState)).toMatchObject({ seen: true });
    expect((await clientState.readHead(''))?.seq).toBe(2);
    const repository = await Repository.open(await DirectoryStore.open(scratch.storePath), {
      keys: scratch.keys,
      clientState,
    });
    expect(repository.archives()).toHaveLength(2);
    // Another machine that saw it notices.
    const other = Repository.open(await DirectoryStore.open(scratch.storePath), {
      keys: scratch.keys,
      clientState: memory(head),
    });
    await expect(other).rejects.toSatisfy((error) => isCairnError(error, 'ROLLBACK_DETECTED'));
  });

  it('is no way back for a machine that saw later ones', async () => {
    const { head } = await headOf();
    hurtNewest((bytes) => bytes.subarray(0, 100));
    const later = memory({ ...head, seq: 4 });
    await expect(repairLog(later)).rejects.toSatisfy((error) => isCairnError(error, 'ROLLBACK_DETECTED'));
    expect(entries()).toHaveLength(3);
  });

  it('was a SWEEP whose bytes are removed: the packs are noted as missing, and nobody relies on them', async () => {
    const repository = await scratch.open({ aheadS: 0 });
    await repository.delete(await repository.planDelete([archives[0] as ArchiveRecord]));
    await repository.compact({ graceMs: 0 });
    const last = await repository.access.log.receivedMs(repository.access.log.seq);
    expect(last).toBeGreaterThan(0);
    hurtNewest((bytes) => bytes.subarray(0, 100));
    expect(await repairLog()).toBeDefined();
    const opened = await scratch.open();
    const plan = await opened.planRepair({ threads: 0 });
    expect(plan.absent.length).toBeGreaterThan(0);
    await opened.repair(plan);
    // The content of the archive that is gone, whose chunks the index still lists in a pack that is gone.
    writeFileSync(scratch.in('file'), pseudoRandomBytes('round 1', 10_000));
    await expectUsable();
  });
});

async function headOf(): Promise<{ readonly head: { readonly seq: number; readonly hash: string } }> {
  const clientState = memory();
  await Repository.open(await DirectoryStore.open(scratch.storePath), { keys: scratch.keys, clientState });
  const head = await clientState.readHead('');
  if (head === undefined) throw new Error('who opens a repository remembers its head');
  return { head };
}
