import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  constants,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Candidate, Choice } from '../dist/backup/source-walk.js';
import {
  displayName,
  DirectoryStore,
  fromUtf8,
  type BackupReport,
  type Repository,
  type TreeEntry,
} from '../dist/index.js';
import { makeNode } from '../dist/host/file-nodes.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { backup } from '../dist/verbs/backup.js';
import { HookedStore } from './support/hooked-store.js';
import { BackupScratch, contentOf } from './support/scratch.js';

const MiB = 1024 * 1024;
const isRoot = process.getuid?.() === 0;
const THREADS = [0, 2];

let scratch: BackupScratch;
beforeEach(async () => {
  scratch = await BackupScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

/** Backs the source up and does `action` when the walk has looked at the status of `name` and has not opened it yet. */
async function backupWhile(name: string, action: () => void, threads = 0): Promise<BackupReport> {
  const repository = await scratch.open();
  let done = false;
  const choose = (candidate: Candidate): Choice => {
    if (candidate.path === fromUtf8(scratch.in(name)) && !done) {
      done = true;
      action();
    }
    return 'take';
  };
  const report = await backup(repository.access, { paths: [fromUtf8(scratch.source)], choose, threads });
  expect(done).toBe(true);
  return report;
}

/** Backs the source up and does `action` when the first pack of data is full: in the middle of the content. */
async function backupWhileReading(action: () => void, threads: number): Promise<BackupReport> {
  let done = false;
  const store = new HookedStore(await DirectoryStore.open(scratch.storePath), {
    beforePut({ kind }) {
      if (kind !== 'packs' || done) return;
      done = true;
      action();
    },
  });
  const repository = await scratch.open({ store });
  const report = await repository.backup({ paths: [scratch.source], threads });
  expect(done).toBe(true);
  return report;
}

async function entryOf({ archive }: BackupReport, name: string): Promise<TreeEntry | undefined> {
  const repository = await scratch.open();
  return await (await repository.view(archive)).entryIfAny(fromUtf8(scratch.in(name)));
}

async function readBack({ archive }: BackupReport, name: string): Promise<Buffer> {
  return await contentOf(await scratch.open(), archive, scratch.in(name));
}

/** That the whole archive can be restored, whatever happened to its source. */
async function expectRestorable({ archive }: BackupReport): Promise<void> {
  const repository: Repository = await scratch.open();
  const { report } = await scratch.restore(repository, archive);
  expect(report.problems).toEqual([]);
}

function kinds(report: BackupReport): Record<string, number> {
  return Object.fromEntries(report.problemCounts);
}

describe.each(THREADS)('between the look at a file and its opening (%i threads)', (threads) => {
  beforeEach(() => {
    for (const name of ['a', 'b', 'c']) writeFileSync(scratch.in(name), `content of ${name}`);
  });

  it('it grows: what is there is stored', async () => {
    const report = await backupWhile('b', () => appendFileSync(scratch.in('b'), ', and more'), threads);
    expect(kinds(report)).toEqual({});
    expect((await entryOf(report, 'b'))?.size).toBe(statSync(scratch.in('b')).size);
    expect((await readBack(report, 'b')).toString()).toBe('content of b, and more');
  });

  it('it shrinks: what is there is stored', async () => {
    const report = await backupWhile('b', () => truncateSync(scratch.in('b'), 3), threads);
    expect((await readBack(report, 'b')).toString()).toBe('con');
    expect((await entryOf(report, 'b'))?.size).toBe(3);
  });

  it('it grows from nothing', async () => {
    writeFileSync(scratch.in('b'), '');
    const report = await backupWhile('b', () => appendFileSync(scratch.in('b'), 'something'), threads);
    expect((await readBack(report, 'b')).toString()).toBe('something');
  });

  it('it vanishes: that is said, the rest is stored, and the archive counts as complete', async () => {
    const report = await backupWhile('b', () => unlinkSync(scratch.in('b')), threads);
    expect(kinds(report)).toEqual({ vanished: 1 });
    expect(report.problems[0]?.path).toBe(fromUtf8(scratch.in('b')));
    expect(report.archive.descriptor).toMatchObject({ complete: true, warnings: [['vanished', 1]] });
    expect(await entryOf(report, 'b')).toBeUndefined();
    expect((await readBack(report, 'c')).toString()).toBe('content of c');
  });

  const REPLACEMENTS: Readonly<Record<string, (path: string) => void>> = {
    'a symlink': (path) => symlinkSync('/etc/passwd', path),
    'a FIFO': (path) => execFileSync('mkfifo', [path]),
    'a directory': (path) => mkdirSync(path),
    ...(isRoot ? { 'a device': (path: string) => execFileSync('mknod', [path, 'c', '1', '5']) } : {}),
  };
  /** Small files are read in batches, large ones by themselves. */
  const sizes = threads === 0 ? [12, 20 * MiB] : [12];
  it.each(Object.keys(REPLACEMENTS).flatMap((what) => sizes.map((size) => [what, size] as const)))(
    'it is replaced by %s (file of %i bytes): left out, and reported as changed',
    async (what, size) => {
      writeFileSync(scratch.in('b'), pseudoRandomBytes('b', size));
      const replace = (): void => {
        rmSync(scratch.in('b'));
        REPLACEMENTS[what]?.(scratch.in('b'));
      };
      const report = await backupWhile('b', replace, threads);
      expect(kinds(report)).toEqual({ changed: 1 });
      expect(report.archive.descriptor.complete).toBe(true);
      expect(await entryOf(report, 'b')).toBeUndefined();
      await expectRestorable(report);
    },
  );

  it.each(sizes)('it is replaced by another file (%i bytes): that one is stored', async (size) => {
    writeFileSync(scratch.in('b'), pseudoRandomBytes('b', size));
    const report = await backupWhile(
      'b',
      () => {
        writeFileSync(scratch.path('new'), 'something else');
        renameSync(scratch.path('new'), scratch.in('b'));
      },
      threads,
    );
    expect(kinds(report)).toEqual({});
    expect((await entryOf(report, 'b'))?.inode).toBe(statSync(scratch.in('b'), { bigint: true }).ino);
    expect(await scratch.differences(await scratch.open(), report, { ignoreRoot: true })).toEqual([]);
  });

  it('one of the names of a file vanishes: the others are stored', async () => {
    for (const name of ['b1', 'b2']) linkSync(scratch.in('b'), scratch.in(name));
    const report = await backupWhile('b', () => unlinkSync(scratch.in('b')), threads);
    expect(kinds(report)).toEqual({ vanished: 1 });
    expect(await scratch.differences(await scratch.open(), report, { ignoreRoot: true })).toEqual([]);
  });

  it('one of the names of a file is another file: each is stored as it is', async () => {
    for (const name of ['b1', 'b2']) linkSync(scratch.in('b'), scratch.in(name));
    const replace = (): void => {
      writeFileSync(scratch.path('new'), 'another file');
      renameSync(scratch.path('new'), scratch.in('b'));
    };
    const report = await backupWhile('b', replace, threads);
    expect(kinds(report)).toEqual({});
    expect(await scratch.differences(await scratch.open(), report, { ignoreRoot: true })).toEqual([]);
  });

  it('it is replaced by a socket', async () => {
    const replace = (): void => {
      rmSync(scratch.in('b'));
      makeNode(fromUtf8(scratch.in('b')), constants.S_IFSOCK | 0o600);
    };
    const report = await backupWhile('b', replace, threads);
    expect(kinds(report)).toEqual({ changed: 1 });
    expect(await entryOf(report, 'b')).toBeUndefined();
  });

  it('a symlink is replaced by a file', async () => {
    symlinkSync('target', scratch.in('link'));
    const replace = (): void => {
      rmSync(scratch.in('link'));
      writeFileSync(scratch.in('link'), 'a file now');
    };
    const report = await backupWhile('link', replace, threads);
    expect(kinds(report)).toEqual({ changed: 1 });
    await expectRestorable(report);
  });
});

describe('between the look at a directory and its opening', () => {
  beforeEach(() => {
    mkdirSync(scratch.in('d'));
    writeFileSync(scratch.in('d', 'inside'), 'inside');
    writeFileSync(scratch.in('e'), 'after');
  });

  it.each(['a symlink', 'a FIFO', 'a file'])('it is replaced by %s', async (what) => {
    const replace = (): void => {
      rmSync(scratch.in('d'), { recursive: true });
      if (what === 'a symlink') symlinkSync('/etc', scratch.in('d'));
      else if (what === 'a FIFO') execFileSync('mkfifo', [scratch.in('d')]);
      else writeFileSync(scratch.in('d'), 'a file now');
    };
    const report = await backupWhile('d', replace);
    expect(kinds(report)).toEqual({ changed: 1 });
    expect(report.archive.descriptor.complete).toBe(true);
    expect(await entryOf(report, 'd')).toBeUndefined();
    expect((await readBack(report, 'e')).toString()).toBe('after');
  });

  it('it vanishes', async () => {
    const report = await backupWhile('d', () => rmSync(scratch.in('d'), { recursive: true }));
    expect(kinds(report)).toEqual({ vanished: 1 });
    expect(await entryOf(report, 'd')).toBeUndefined();
    await expectRestorable(report);
  });

  it('an entry in it vanishes after the listing', async () => {
    writeFileSync(scratch.in('d', 'other'), 'other');
    const report = await backupWhile('d/inside', () => unlinkSync(scratch.in('d', 'other')));
    expect(kinds(report)).toEqual({ vanished: 1 });
    expect((await readBack(report, 'd/inside')).toString()).toBe('inside');
  });

  it('it is moved away while it is walked, and another takes its place: what was opened is what is stored', async () => {
    mkdirSync(scratch.path('elsewhere'));
    writeFileSync(scratch.path('elsewhere', 'inside'), 'not of the source');
    const report = await backupWhile('d/inside', () => {
      renameSync(scratch.in('d'), scratch.path('moved'));
      symlinkSync(scratch.path('elsewhere'), scratch.in('d'));
    });
    expect((await readBack(report, 'd/inside')).toString()).toBe('inside');
  });
});

describe.each(THREADS)('while a file is read (%i threads)', (threads) => {
  /** Two files below the size from which all processors work on one: the first pack is full in the middle of the second. */
  function twoFiles(): void {
    writeFileSync(scratch.in('a'), pseudoRandomBytes('a', 12 * MiB));
    writeFileSync(scratch.in('b'), pseudoRandomBytes('b', 15 * MiB));
  }

  async function expectChanged(report: BackupReport, name: string, least: number, most: number): Promise<void> {
    expect(kinds(report)).toEqual({ changed: 1 });
    expect(report.problems[0]?.message).toContain(displayName(fromUtf8(scratch.in(name))));
    expect(report.archive.descriptor).toMatchObject({ complete: true, warnings: [['changed', 1]] });
    const entry = await entryOf(report, name);
    expect(entry?.state).toBe(1);
    const content = await readBack(report, name);
    expect(content.length).toBe(entry?.size);
    expect(content.length).toBeGreaterThanOrEqual(least);
    expect(content.length).toBeLessThanOrEqual(most);
    await expectRestorable(report);
  }

  it('it shrinks: what could be read is stored and flagged', async () => {
    twoFiles();
    const whole = readFileSync(scratch.in('b'));
    const report = await backupWhileReading(() => truncateSync(scratch.in('b'), 5 * MiB), threads);
    // With threads, the file may have been read before the pack was full.
    if (threads > 0 && report.problemCounts.size === 0) return;
    await expectChanged(report, 'b', 5 * MiB, 15 * MiB);
    const content = await readBack(report, 'b');
    expect(content.equals(whole.subarray(0, content.length))).toBe(true);
  });

  it('it grows: the length that it had at first is stored and flagged', async () => {
    twoFiles();
    const whole = readFileSync(scratch.in('b'));
    const report = await backupWhileReading(() => appendFileSync(scratch.in('b'), 'more'), threads);
    // With threads, the file may have been read before the pack was full.
    if (threads > 0 && report.problemCounts.size === 0) return;
    await expectChanged(report, 'b', 15 * MiB, 15 * MiB);
    expect((await readBack(report, 'b')).equals(whole)).toBe(true);
  });

  it('a large one is truncated: what could be read is stored and flagged', async () => {
    const whole = pseudoRandomBytes('large', 90 * MiB);
    writeFileSync(scratch.in('large'), whole);
    const report = await backupWhileReading(() => truncateSync(scratch.in('large'), 50 * MiB), threads);
    await expectChanged(report, 'large', 16 * MiB, 89 * MiB);
    const content = await readBack(report, 'large');
    expect(content.equals(whole.subarray(0, content.length))).toBe(true);
  });

  it('a large one is truncated to nothing and written anew', async () => {
    writeFileSync(scratch.in('large'), pseudoRandomBytes('large', 40 * MiB));
    const report = await backupWhileReading(() => {
      truncateSync(scratch.in('large'), 0);
      appendFileSync(scratch.in('large'), pseudoRandomBytes('new', 44 * MiB));
    }, threads);
    await expectChanged(report, 'large', 1, 40 * MiB);
  });

  it('a large one is deleted: its content is stored, and flagged', async () => {
    const whole = pseudoRandomBytes('large', 40 * MiB);
    writeFileSync(scratch.in('large'), whole);
    const report = await backupWhileReading(() => unlinkSync(scratch.in('large')), threads);
    await expectChanged(report, 'large', whole.length, whole.length);
    expect((await readBack(report, 'large')).equals(whole)).toBe(true);
  });

  it('a large sparse one is truncated between its holes', async () => {
    execFileSync('truncate', ['-s', '400M', scratch.in('sparse')]);
    for (let i = 0; i < 8; i++) {
      const of = `of=${scratch.in('sparse')}`;
      const arguments_ = ['if=/dev/urandom', of, 'bs=1M', 'count=8', `seek=${50 * i}`, 'conv=notrunc', 'status=none'];
      execFileSync('dd', arguments_);
    }
    const report = await backupWhileReading(() => truncateSync(scratch.in('sparse'), 160 * MiB), threads);
    await expectChanged(report, 'sparse', 100 * MiB, 400 * MiB);
  });
});
