import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fromUtf8, type BackupReport, type TreeEntry } from '../dist/index.js';
import { backup } from '../dist/verbs/backup.js';
import { mountMemory } from './support/memory-mount.js';
import { BackupScratch, contentOf } from './support/scratch.js';

const isRoot = process.getuid?.() === 0;

let scratch: BackupScratch;
let mounted: string | undefined;

beforeEach(async () => {
  scratch = await BackupScratch.create();
  mounted = undefined;
});
afterEach(() => {
  if (mounted !== undefined) execFileSync('umount', [mounted]);
  scratch[Symbol.dispose]();
});

async function entry({ archive }: BackupReport, name: string): Promise<TreeEntry | undefined> {
  return await (await (await scratch.open()).view(archive)).entryIfAny(fromUtf8(scratch.in(name)));
}

describe('a source with values that the format cannot hold', () => {
  it.each([
    ['1600-01-01', -(2n ** 63n)],
    ['2400-01-01', 2n ** 63n - 1n],
  ])('keeps the nearest time of the year %s, and says so', async (date, nearest) => {
    for (const name of ['file', 'other']) writeFileSync(scratch.in(name), name);
    mkdirSync(scratch.in('directory'));
    symlinkSync('target', scratch.in('link'));
    const odd = ['directory', 'file', 'link'];
    execFileSync('touch', ['-h', '-d', `${date} 00:00:00 UTC`, ...odd.map((name) => scratch.in(name))]);
    // Not every file system has times so far from now.
    const kept = Math.abs(statSync(scratch.in('file')).mtimeMs) > 9.3e12 ? odd : [];
    const report = await (await scratch.open()).backup({ paths: [scratch.source], threads: 0 });
    expect(report.problems.map(({ kind, path }) => [kind, path.split('/').at(-1)])).toEqual(
      kept.map((name) => ['unsupported', name]),
    );
    expect(report.archive.descriptor.complete).toBe(kept.length === 0);
    if (kept.length > 0) expect((await entry(report, 'file'))?.mtimeNs).toBe(nearest);
    expect((await contentOf(await scratch.open(), report.archive, scratch.in('file'))).toString()).toBe('file');
    await scratch.restore(await scratch.open(), report.archive);
  });

  it.runIf(isRoot)('leaves out a file of more than 2^53 bytes, and says so', async ({ skip }) => {
    if (!mountMemory(scratch.source, '1m')) skip('no file system can be mounted here');
    mounted = scratch.source;
    writeFileSync(scratch.in('file'), 'content');
    execFileSync('truncate', ['-s', '7E', scratch.in('huge')]);
    const report = await (await scratch.open()).backup({ paths: [scratch.source], threads: 0 });
    expect(report.problems.map(({ kind, path }) => [kind, path])).toEqual([
      ['unsupported', fromUtf8(scratch.in('huge'))],
    ]);
    expect(report.progress).toMatchObject({ files: 1, bytes: 7 });
    expect(await entry(report, 'huge')).toBeUndefined();
  });
});

describe('sources that are not there', () => {
  it('are named; the others are stored', async () => {
    writeFileSync(scratch.in('file'), 'content');
    const paths = [scratch.in('file'), scratch.in('missing'), scratch.in('missing-directory', 'below')];
    const report = await (await scratch.open()).backup({ paths, threads: 0 });
    expect(report.problems.map(({ kind }) => kind)).toEqual(['missing-source', 'missing-source']);
    expect(report.archive.descriptor.complete).toBe(false);
    expect(await entry(report, 'file')).toBeDefined();
  });

  it('because a file or a link is where a directory should be: that is not stored in their place', async () => {
    writeFileSync(scratch.in('file'), 'content');
    symlinkSync('/etc', scratch.in('link'));
    writeFileSync(scratch.in('good'), 'good');
    const { access } = await scratch.open();
    const paths = ['file/below', 'link/hostname', 'good'].map((name) => fromUtf8(scratch.in(name)));
    const report = await backup(access, { paths, threads: 0 });
    expect(report.problems.map(({ kind, path }) => [kind, path])).toEqual([
      ['missing-source', fromUtf8(scratch.in('file'))],
      ['missing-source', fromUtf8(scratch.in('link'))],
    ]);
    expect(await entry(report, 'file')).toBeUndefined();
    expect(await entry(report, 'link')).toBeUndefined();
  });

  it('all of them: nothing is committed', async () => {
    const repository = await scratch.open();
    const run = repository.backup({ paths: [scratch.in('one'), scratch.in('two')], threads: 0 });
    await expect(run).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
    expect(repository.archives()).toEqual([]);
  });
});

describe('a cache of trees', () => {
  it.runIf(isRoot)('that cannot be written costs nothing but the next run', async ({ skip }) => {
    for (let i = 0; i < 300; i++) writeFileSync(scratch.in(`a file with a long name ${'x'.repeat(200)} ${i}`), `${i}`);
    mkdirSync(scratch.path('cache'));
    // The trees of these files do not fit.
    if (!mountMemory(scratch.path('cache'), '32k')) skip('no file system can be mounted here');
    mounted = scratch.path('cache');
    const report = await (await scratch.open({ remember: true })).backup({ paths: [scratch.source], threads: 0 });
    expect(report.problems).toEqual([]);
    expect(report.cacheFailure).toMatchObject({ code: 'TARGET_FAILED', cause: { code: 'ENOSPC' } });
    expect(await scratch.differences(await scratch.open(), report)).toEqual([]);
    expect(execFileSync('find', [scratch.path('cache'), '-type', 'f']).toString()).toBe('');
  });

  it('whose place is a file costs nothing but the next run', async () => {
    writeFileSync(scratch.in('file'), 'content');
    writeFileSync(scratch.path('cache'), 'in the way');
    const repository = await scratch.open({ remember: true, rights: 'write' });
    for (let round = 0; round < 2; round++) {
      const report = await repository.backup({ paths: [scratch.source], threads: 0 });
      expect(report.cacheFailure?.code).toBe('TARGET_FAILED');
      expect(await scratch.differences(await scratch.open(), report)).toEqual([]);
    }
  });

  it('that is damaged is not believed', async () => {
    for (let i = 0; i < 50; i++) writeFileSync(scratch.in(`file-${i}`), `content ${i}`);
    const run = async (): Promise<BackupReport> =>
      await (await scratch.open({ remember: true, rights: 'write' })).backup({ paths: [scratch.source], threads: 0 });
    await run();
    const cached = execFileSync('find', [scratch.path('cache'), '-type', 'f'])
      .toString()
      .trim();
    expect((await run()).progress.unchangedFiles).toBe(50);
    execFileSync('sh', ['-c', `printf 'damage' | dd of='${cached}' bs=1 seek=500 conv=notrunc status=none`]);
    const report = await run();
    expect(report.progress.unchangedFiles).toBe(0);
    expect(report.cacheFailure).toBeUndefined();
    expect(await scratch.differences(await scratch.open(), report)).toEqual([]);
    for (const length of [0, 10, 2000]) {
      execFileSync('truncate', ['-s', `${length}`, cached]);
      expect(await scratch.differences(await scratch.open(), await run())).toEqual([]);
    }
  });
});
