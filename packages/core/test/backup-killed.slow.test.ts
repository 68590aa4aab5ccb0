import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { backupProcess } from './support/backup-process.js';
import { BackupScratch } from './support/scratch.js';

const MiB = 1024 * 1024;
const ROUNDS = 20;
const SEED = 'killed';

let scratch: BackupScratch;
beforeEach(async () => {
  scratch = await BackupScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

/** From 0 to `most`, the same for the same round. */
function seeded(round: number, most: number): number {
  return pseudoRandomBytes(`${SEED} ${round}`, 4).readUInt32LE(0) % (most + 1);
}

describe('a backup that is killed', () => {
  it(`at any moment hurts nothing (seed "${SEED}", ${ROUNDS} rounds)`, { timeout: 120_000 }, async () => {
    const key = scratch.keyFile();
    for (let i = 0; i < 30; i++) writeFileSync(scratch.in(`file-${i}`), pseudoRandomBytes(`file ${i}`, 20_000));
    const options = { store: scratch.storePath, key, paths: [scratch.source], threads: 1 };
    const started = performance.now();
    await backupProcess(options);
    // A whole run takes about so long here and now; from then on some are killed after their COMMIT.
    const wholeMs = performance.now() - started;
    let killed = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (let i = 0; i < 2; i++) {
        writeFileSync(scratch.in(`new-${i}`), pseudoRandomBytes(`${round} ${i}`, 3 * MiB));
      }
      const result = await backupProcess(options, { killAfterMs: wholeMs / 4 + seeded(round, wholeMs * 1.25) });
      if (result === undefined) killed += 1;
      const repository = await scratch.open();
      const check = await repository.check({ threads: 0 });
      expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    }
    expect(killed).toBeGreaterThan(ROUNDS / 4);

    const repository = await scratch.open();
    const last = await repository.backup({ paths: [scratch.source], threads: 0 });
    expect(await scratch.differences(repository, last)).toEqual([]);
    const check = await repository.check({ data: true, threads: 0 });
    expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    for (const archive of repository.archives().slice(0, 3)) {
      const { report } = await scratch.restore(repository, archive);
      expect(report.problems).toEqual([]);
    }
  });

  it.each([0, 2])('after it listed packs is continued by the next (%i threads)', async (threads) => {
    for (let i = 0; i < 40; i++) writeFileSync(scratch.in(`file-${i}`), pseudoRandomBytes(`file ${i}`, MiB));
    const options = { store: scratch.storePath, key: scratch.keyFile(), paths: [scratch.source], threads };
    expect(await backupProcess({ ...options, dieAfter: 'index' })).toBeUndefined();
    const repository = await scratch.open();
    expect(repository.archives()).toEqual([]);
    const next = await repository.backup({ paths: [scratch.source], threads });
    expect(next.progress.files).toBe(40);
    // Directories above the source.
    expect(next.progress.newBytes).toBeLessThan(4096);
    expect(await scratch.differences(repository, next)).toEqual([]);
  });

  it('right after its COMMIT has made an archive', async () => {
    writeFileSync(scratch.in('file'), 'content');
    const options = { store: scratch.storePath, key: scratch.keyFile(), paths: [scratch.source] };
    expect(await backupProcess({ ...options, dieAfter: 'log' })).toBeUndefined();
    const repository = await scratch.open();
    expect(repository.archives()).toHaveLength(1);
    const { report } = await scratch.restore(repository, repository.archive('latest'));
    expect(report).toMatchObject({ files: 1, problems: [] });
  });
});
