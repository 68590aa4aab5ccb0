import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DirectoryStore, isCairnError, type ArchiveRecord } from '../dist/index.js';
import { FaultyStore, type Fault } from '../dist/testing/faulty-store.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { expectNoneHeld, heldDescriptors } from './support/descriptors.js';
import { BackupScratch, SMALL_CHUNKS } from './support/scratch.js';

let scratch: BackupScratch;
let archive: ArchiveRecord;
/** What an export gives when nothing fails. */
let whole: Buffer;

beforeEach(async () => {
  scratch = await BackupScratch.create(SMALL_CHUNKS);
  mkdirSync(scratch.in('directory'));
  writeFileSync(scratch.in('large'), pseudoRandomBytes('large', 60_000));
  for (let i = 0; i < 5; i++) writeFileSync(scratch.in('directory', `${i}`), pseudoRandomBytes(`${i}`, 3_000));
  const repository = await scratch.open();
  ({ archive } = await repository.backup({ paths: [scratch.source], threads: 0 }));
  whole = (await exportWith({ at: Infinity, when: 'before' })).bytes;
  cpSync(scratch.storePath, scratch.path('base'), { recursive: true, preserveTimestamps: true });
});
afterEach(() => scratch[Symbol.dispose]());

interface Outcome {
  readonly error: unknown;
  readonly operations: number;
}

async function exportWith(fault: Fault): Promise<Outcome & { readonly bytes: Buffer }> {
  const store = new FaultyStore(await DirectoryStore.open(scratch.storePath), [fault]);
  const parts: Uint8Array[] = [];
  const end = (error: unknown): Outcome & { bytes: Buffer } => ({
    error,
    operations: store.operations,
    bytes: Buffer.concat(parts),
  });
  try {
    const report = await (
      await scratch.open({ store })
    ).exportTar(archive, (bytes) => void parts.push(new Uint8Array(bytes)));
    expect(report.problems).toEqual([]);
    return end(undefined);
  } catch (error) {
    return end(error);
  }
}

/** As it comes from a pipe: in pieces that end anywhere. */
async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += 7_001) yield whole.subarray(at, at + 7_001);
}

async function importWith(fault: Fault, threads = 0): Promise<Outcome> {
  const store = new FaultyStore(await DirectoryStore.open(scratch.storePath), [fault]);
  try {
    await (await scratch.open({ store })).importTar(pieces(), { threads, series: 'imported' });
    return { error: undefined, operations: store.operations };
  } catch (error) {
    return { error, operations: store.operations };
  }
}

function startAgain(): void {
  rmSync(scratch.storePath, { recursive: true });
  cpSync(scratch.path('base'), scratch.storePath, { recursive: true, preserveTimestamps: true });
}

/** Sound; the archive from before is there; and what was imported, if it counts, is all of it. */
async function expectSound(): Promise<void> {
  const repository = await scratch.open();
  const { findings } = await repository.check({ data: true, threads: 0 });
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  for (const one of repository.archives()) {
    const parts: Uint8Array[] = [];
    await repository.exportTar(one, (bytes) => void parts.push(new Uint8Array(bytes)));
    expect(Buffer.concat(parts).equals(whole), one.name).toBe(true);
  }
}

describe.each(['before', 'after'] as const)('a store that fails one call (%s it was done)', (when) => {
  it('never makes an export look whole that is not, whichever call it is', async () => {
    const codes = new Set<string>();
    for (let at = 1; ; at++) {
      const held = heldDescriptors();
      const { error, operations, bytes } = await exportWith({ at, when });
      await expectNoneHeld(held);
      if (error === undefined) expect(bytes.equals(whole)).toBe(true);
      else {
        codes.add(isCairnError(error) ? error.code : String(error));
        // What was written is a beginning, and no end follows.
        expect(whole.subarray(0, bytes.length).equals(bytes) && bytes.length < whole.length).toBe(true);
      }
      if (operations < at) break;
    }
    expect([...codes]).toEqual(['STORE_FAILED']);
  });

  it('never hurts what is there when an archive is imported, whichever call it is', async () => {
    const codes = new Set<string>();
    for (let at = 1; ; at++) {
      startAgain();
      const held = heldDescriptors();
      const { error, operations } = await importWith({ at, when });
      await expectNoneHeld(held);
      if (error === undefined && operations < at) break;
      if (error !== undefined) codes.add(isCairnError(error) ? error.code : String(error));
      await expectSound();
      // The same stream once more.
      expect(await importWith({ at: Infinity, when: 'before' })).toMatchObject({ error: undefined });
      await expectSound();
    }
    expect([...codes]).toEqual(['STORE_FAILED']);
  });
});

describe('an import that dies', () => {
  it('never hurts what is there, after whichever call that is, and with threads', async () => {
    for (const threads of [0, 2]) {
      for (let at = 1; ; at++) {
        startAgain();
        const { error, operations } = await importWith({ at, when: 'before', times: Infinity }, threads);
        if (error === undefined && operations < at) break;
        expect((await scratch.open()).archives()).toHaveLength(1);
        await expectSound();
      }
    }
  });
});
