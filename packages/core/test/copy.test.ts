import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DirectoryStore, fromUtf8, isCairnError, type CopyReport, type Repository } from '../dist/index.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { FaultyStore } from '../dist/testing/faulty-store.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { BackupScratch, SMALL_CHUNKS } from './support/scratch.js';

let from: BackupScratch;
let to: BackupScratch;
beforeEach(async () => {
  from = await BackupScratch.create(SMALL_CHUNKS);
  to = await BackupScratch.create();
  writeFileSync(from.in('large'), pseudoRandomBytes('large', 900_000));
  writeFileSync(from.in('empty'), '');
  mkdirSync(from.in('directory', 'below'), { recursive: true });
  for (let i = 0; i < 40; i++) writeFileSync(from.in('directory', `small ${i}`), pseudoRandomBytes(`${i}`, 100 * i));
  writeFileSync(from.in('directory', 'below', 'same as small 7'), pseudoRandomBytes('7', 700));
});
afterEach(() => {
  from[Symbol.dispose]();
  to[Symbol.dispose]();
});

const outcomes = ({ archives }: CopyReport): string[] => archives.map(({ outcome }) => outcome);

async function backup(scratch = from): Promise<void> {
  await (await scratch.open()).backup({ paths: [scratch.source], threads: 0, series: 'home', tags: ['nightly'] });
}

/** Copies all archives with the least rights that do. */
async function copyAll(options: Parameters<Repository['copyTo']>[2] = {}): Promise<CopyReport> {
  const source = await from.open({ rights: 'read' });
  return await source.copyTo(await to.open({ rights: 'write' }), source.archives(), { threads: 0, ...options });
}

async function expectSound(): Promise<void> {
  const check = await (await to.open()).check({ data: true, threads: 0 });
  expect(check.findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
}

describe('copying archives', () => {
  it('gives archives that restore to the same files, with other keys', async () => {
    await backup();
    const report = await copyAll();
    expect(outcomes(report)).toEqual(['copied']);
    await expectSound();
    const target = await to.open();
    const [copy] = target.archives();
    const [original] = (await from.open()).archives();
    if (copy === undefined || original === undefined) throw new Error('there is one of each');
    expect(copy).toMatchObject({ name: original.name, tags: ['nightly'] });
    const { id, root, stats, chunkerTree, ...same } = original.descriptor;
    expect(copy.descriptor).toMatchObject({ ...same, stats: { files: stats.files, bytes: stats.bytes } });
    expect(copy.id).not.toBe(Buffer.from(id).toString('hex'));
    expect(chunkerTree).not.toEqual(copy.descriptor.chunkerTree);
    expect(Buffer.compare(root, copy.descriptor.root)).not.toBe(0);
    const { restored } = await from.restore(target, copy);
    expect(compareTrees(fromUtf8(from.source), fromUtf8(restored))).toEqual([]);
  });

  it.each([0, 2])('copies what is new, and each archive once (%d threads)', async (threads) => {
    await backup();
    const first = await copyAll({ threads });
    writeFileSync(from.in('new'), pseudoRandomBytes('new', 50_000));
    await backup();
    const second = await copyAll({ threads });
    expect(outcomes(second)).toEqual(['present', 'copied']);
    expect(second.newBytes).toBeGreaterThan(50_000);
    expect(second.newBytes).toBeLessThan(first.newBytes / 4);
    expect(outcomes(await copyAll({ threads }))).toEqual(['present', 'present']);
    await expectSound();
    const [older, newer] = (await to.open()).archives();
    expect(Buffer.from(newer?.descriptor.parent ?? []).toString('hex')).toBe(older?.id);
  });

  it.each([0, 2])(
    'reads each pack in a few pieces, whatever the order of chunks in it (%d threads)',
    async (threads) => {
      await backup();
      const store = new FaultyStore(await DirectoryStore.open(from.storePath));
      const source = await from.open({ store });
      const before = store.counts.get;
      const report = await source.copyTo(await to.open(), source.archives(), { threads });
      expect(outcomes(report)).toEqual(['copied']);
      const [archive] = source.archives();
      expect(archive?.descriptor.stats.chunks).toBeGreaterThan(300);
      expect(store.counts.get - before).toBeLessThan(30);
      await expectSound();
    },
  );

  it.each([0, 2])('finds chunks that a collector moves while it copies (%d threads)', async (threads) => {
    writeFileSync(from.in('gone'), pseudoRandomBytes('gone', 700_000));
    await backup();
    rmSync(from.in('gone'));
    await backup();
    const source = await from.open({ rights: 'read' });
    const [gone, kept] = source.archives();
    await source.access.index();
    const collector = await from.open();
    await collector.delete(await collector.planDelete(gone === undefined ? [] : [gone]));
    const { swept } = await collector.compact({ graceMs: 0, maxUnused: 0 });
    expect(swept.packs).toBeGreaterThan(0);
    const report = await source.copyTo(await to.open({ rights: 'write' }), kept === undefined ? [] : [kept], {
      threads,
    });
    expect(outcomes(report)).toEqual(['copied']);
    await expectSound();
  });

  it('compresses anew only when told to, and gives the same files either way', async () => {
    writeFileSync(from.in('text'), 'the same line again and again\n'.repeat(20_000));
    await backup();
    const kept = await copyAll();
    const anew = await BackupScratch.create();
    try {
      const source = await from.open({ rights: 'read' });
      const options = { threads: 0, compressionLevel: 19 };
      const report = await source.copyTo(await anew.open({ rights: 'write' }), source.archives(), options);
      // Trees are cut by the keys of each target.
      expect(Math.abs(report.newBytes - kept.newBytes)).toBeLessThan(5_000);
      expect(report.storedBytes).not.toBe(kept.storedBytes);
      const { findings } = await (await anew.open()).check({ data: true, threads: 0 });
      expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    } finally {
      anew[Symbol.dispose]();
    }
    await expectSound();
  });

  it('does not bring back what was removed from the target, unless told to', async () => {
    await backup();
    await copyAll();
    const target = await to.open();
    const [copy] = target.archives();
    await target.access.log.append(() => ({ kind: 'DELETE', archives: [copy?.id ?? ''], reason: 'not wanted' }));
    expect(outcomes(await copyAll())).toEqual(['removed']);
    expect(outcomes(await copyAll({ again: true }))).toEqual(['copied']);
    expect((await to.open()).archives()).toHaveLength(1);
    await expectSound();
  });

  it('only says what it would do in a dry run', async () => {
    await backup();
    const report = await copyAll({ dryRun: true });
    expect([outcomes(report), report.newBytes]).toEqual([['planned'], 0]);
    expect((await to.open()).archives()).toEqual([]);
  });

  it('leaves out an archive that is damaged, and copies the others', async () => {
    await backup();
    writeFileSync(from.in('other'), pseudoRandomBytes('other', 50_000));
    await backup();
    const source = await from.open();
    const [first, second] = source.archives();
    const place = (await source.access.index()).packs.at(-1)?.name ?? '';
    for (const { name } of (await source.access.index()).packs) {
      const path = `${from.storePath}/packs/${name.slice(0, 2)}/${name}`;
      const bytes = readFileSync(path);
      // The data pack of the second archive is the small one.
      if (bytes[5] === 1 && bytes.length < 200_000) writeFileSync(path, bytes.fill(0, bytes.length >> 2));
    }
    expect(place).not.toBe('');
    const report = await copyAll();
    expect(report.archives.map((archive) => [archive.source.id, archive.outcome])).toEqual([
      [first?.id, 'copied'],
      [second?.id, 'damaged'],
    ]);
    await expectSound();
    expect((await to.open()).archives()).toHaveLength(1);
  });

  it('refuses what cannot be', async () => {
    await backup();
    const source = await from.open();
    const all = source.archives();
    await expect(source.copyTo(await from.open(), all)).rejects.toSatisfy((error) => isCairnError(error, 'USAGE'));
    const blind = await from.open({ rights: 'write' });
    await expect(blind.copyTo(await to.open(), all)).rejects.toSatisfy((error) => isCairnError(error, 'RIGHT_MISSING'));
    const reader = await to.open({ rights: 'read' });
    await expect(source.copyTo(reader, all)).rejects.toSatisfy((error) => isCairnError(error, 'RIGHT_MISSING'));
  });
});

describe.each([
  ['fails one call', 'before', 1],
  ['fails one call, after it was done', 'after', 1],
  ['is gone from a call on, as after a crash', 'before', Infinity],
] as const)('a target that %s', (_how, when, times) => {
  it('is sound after each, and the next run goes on', async () => {
    await backup();
    writeFileSync(from.in('new'), pseudoRandomBytes('new', 5_000));
    await backup();
    const source = await from.open({ rights: 'read' });
    let finished = false;
    for (let at = 1; !finished; at++) {
      const store = new FaultyStore(await DirectoryStore.open(to.storePath), [{ at, when, times }]);
      try {
        const target = await to.open({ rights: 'write', store });
        await source.copyTo(target, source.archives(), { threads: 0 });
        finished = store.operations < at;
      } catch (error) {
        expect(isCairnError(error, 'STORE_FAILED')).toBe(true);
      }
      if (at % 5 === 0) await expectSoundOrEmpty();
    }
    expect(outcomes(await copyAll())).toEqual(['present', 'present']);
    await expectSound();
  });
});

async function expectSoundOrEmpty(): Promise<void> {
  const check = await (await to.open()).check({ threads: 0, record: false });
  expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
}

describe.each(['before', 'after'] as const)('a source that fails one call (%s it was done)', (when) => {
  it('never makes an archive that lacks something', async () => {
    await backup();
    for (let at = 1; ; at++) {
      const store = new FaultyStore(await DirectoryStore.open(from.storePath), [{ at, when }]);
      try {
        const source = await from.open({ rights: 'read', store });
        const target = await to.open({ rights: 'write' });
        await source.copyTo(target, source.archives(), { threads: 0, again: true });
      } catch (error) {
        expect(isCairnError(error, 'STORE_FAILED')).toBe(true);
      }
      if (store.operations < at) break;
    }
    await expectSound();
  });
});
