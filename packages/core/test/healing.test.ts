import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fromUtf8, type CheckReport } from '../dist/index.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { BackupScratch, SMALL_CHUNKS } from './support/scratch.js';

/** Bytes that a run may store although nothing changed below the source: directories above it, where others work. */
const LITTLE = 800;

let scratch: BackupScratch;
beforeEach(async () => {
  scratch = await BackupScratch.create(SMALL_CHUNKS);
  writeFileSync(scratch.in('large'), pseudoRandomBytes('large', 900_000));
  for (let i = 0; i < 10; i++) writeFileSync(scratch.in(`small ${i}`), pseudoRandomBytes(`small ${i}`, 3000));
});
afterEach(() => scratch[Symbol.dispose]());

function packs(): string[] {
  return readdirSync(join(scratch.storePath, 'packs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/[0-9a-f]{64}$/.test(name))
    .map((name) => join(scratch.storePath, 'packs', name));
}

/** Flips a byte near the middle of each pack of that kind (format page, section 4.4). */
function damagePacks(kind: 1 | 2): number {
  const chosen = packs().filter((path) => readFileSync(path)[5] === kind);
  for (const path of chosen) {
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  }
  return chosen.length;
}

const errorsOf = ({ findings }: CheckReport): string[] => [
  ...new Set(findings.filter(({ severity }) => severity === 'error').map(({ code }) => code)),
];

async function expectAllRestore(): Promise<void> {
  const repository = await scratch.open({ rights: 'read' });
  for (const archive of repository.archives()) {
    const { report, restored } = await scratch.restore(repository, archive);
    expect(report.problemCounts).toEqual({});
    expect(compareTrees(fromUtf8(scratch.source), fromUtf8(restored))).toEqual([]);
  }
}

describe.each([
  ['file contents', 1],
  ['trees', 2],
] as const)('damage in %s whose source is still there', (_what, kind) => {
  it.each([
    ['a check noted', false],
    ['a repair noted', true],
  ])('is healed by the next backup of a host that can only write, when %s it', async (_who, repair) => {
    const write = { rights: 'write', remember: true } as const;
    for (let night = 0; night < 2; night++)
      await (await scratch.open(write)).backup({ paths: [scratch.source], threads: 0 });
    expect(damagePacks(kind)).toBeGreaterThan(0);

    // The host knows nothing of the damage, and takes the chunks as stored.
    const unaware = await (await scratch.open(write)).backup({ paths: [scratch.source], threads: 0 });
    expect(unaware.progress.newBytes).toBeLessThan(LITTLE);

    // Another machine, which can read, looks.
    const reader = await scratch.open({ rights: 'read' });
    const found = await reader.check({ data: true, threads: 0, record: !repair });
    expect(errorsOf(found)).toContain(kind === 1 ? 'chunk-damaged' : 'tree-damaged');
    expect(found.affected.archives).toBe(3);
    if (repair) {
      const plan = await reader.planRepair({ data: true, threads: 0 });
      // Of a small pack the flipped byte may be padding.
      expect(Math.max(...plan.damaged.map((pack) => pack.damaged))).toBe(1);
      const report = await reader.repair(plan);
      expect(report.salvagedChunks).toBe(plan.damaged.reduce((sum, pack) => sum + pack.salvaged, 0));
      expect(report.salvagedChunks).toBeGreaterThan(0);
    }

    const healing = await (await scratch.open(write)).backup({ paths: [scratch.source], threads: 0 });
    expect(healing.progress.newBytes).toBeGreaterThan(LITTLE);
    const after = await (await scratch.open({ rights: 'read' })).check({ data: true, threads: 0 });
    expect(errorsOf(after)).toEqual([]);
    expect([after.warnings, after.affected.paths]).toEqual([0, 0]);
    await expectAllRestore();

    // And once more there is nothing to do.
    const last = await (await scratch.open(write)).backup({ paths: [scratch.source], threads: 0 });
    expect(last.progress.newBytes).toBeLessThan(LITTLE);
    if (repair) expect((await (await scratch.open()).planRepair()).empty).toBe(true);
  });
});
