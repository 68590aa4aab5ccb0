import { mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { fromUtf8 } from '../dist/index.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { backupProcess } from './support/backup-process.js';
import { BackupScratch } from './support/scratch.js';

const SERIES = ['one', 'two', 'three', 'four'];
const ROUNDS = 3;

let scratch: BackupScratch;
beforeEach(async () => {
  scratch = await BackupScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

it('backups of several processes at once into one repository all count', { timeout: 120_000 }, async () => {
  const key = scratch.keyFile('write');
  for (const series of SERIES) {
    mkdirSync(scratch.in(series));
    for (let i = 0; i < 20; i++) {
      // Half of it is the same for all.
      writeFileSync(
        scratch.in(series, `file-${i}`),
        pseudoRandomBytes(i % 2 === 0 ? `${i}` : `${series} ${i}`, 30_000),
      );
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const series of SERIES) writeFileSync(scratch.in(series, 'round'), `${series} ${round}`);
    const runs = SERIES.map((series) =>
      backupProcess({ store: scratch.storePath, key, paths: [scratch.in(series)], series, threads: 1 }),
    );
    for (const result of await Promise.all(runs)) expect(result).toMatchObject({ complete: true });
  }

  const repository = await scratch.open();
  expect(repository.access.log.seq).toBe(SERIES.length * ROUNDS);
  for (const series of SERIES) {
    expect(repository.archives({ series })).toHaveLength(ROUNDS);
    const { restored } = await scratch.restore(repository, repository.archive(`${series}@latest`));
    const differences = compareTrees(fromUtf8(scratch.in(series)), fromUtf8(`${restored}/${series}`));
    expect(differences).toEqual([]);
  }
  const check = await repository.check({ data: true, threads: 0 });
  expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(check.archives).toBe(SERIES.length * ROUNDS);
});
