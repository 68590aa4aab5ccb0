import { appendFileSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { DirectoryStore, type BackupReport, type Rights } from '../dist/index.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { BackupScratch, contentIds, contentOf, SMALL_CHUNKS, type OpenOptions } from './support/scratch.js';

const MiB = 1024 * 1024;
const LARGE_BYTES = 200 * MiB;
/** The chunk index, the trees, modules: far less than the file. */
const LITTLE_BYTES = 5 * MiB;

/** Bytes that this process asked the kernel for, from files, pipes and caches alike (proc(5), /proc/PID/io). */
function bytesRead(): number {
  return Number(/^rchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

describe('a large file that did not change', () => {
  let scratch: BackupScratch;
  let first: BackupReport;
  let length = 0;

  async function again(options: OpenOptions): Promise<{ readonly report: BackupReport; readonly read: number }> {
    const repository = await scratch.open(options);
    const before = bytesRead();
    const report = await repository.backup({ paths: [scratch.source], series: 'one' });
    return { report, read: bytesRead() - before };
  }

  beforeAll(async () => {
    scratch = await BackupScratch.create();
    // The same 20 MiB again and again: little to store, all of it to read.
    const part = pseudoRandomBytes('part', 20 * MiB);
    for (; length < LARGE_BYTES; length += part.length) appendFileSync(scratch.in('large'), part);
    for (let i = 0; i < 100; i++) writeFileSync(scratch.in(`small-${i}`), `content ${i}`);
    first = await (await scratch.open()).backup({ paths: [scratch.source], series: 'one' });
  });
  afterAll(() => scratch[Symbol.dispose]());

  it('is not read again with the root key', async () => {
    const { report, read } = await again({});
    expect(report.progress).toMatchObject({ files: 101, unchangedFiles: 101, bytes: first.progress.bytes });
    expect(read).toBeLessThan(LITTLE_BYTES);
  });

  it('is not read again with a write key that keeps the trees', async () => {
    const warm = await again({ rights: 'write', remember: true });
    expect(warm.report.parent).toBeUndefined();
    const { report, read } = await again({ rights: 'write', remember: true });
    expect(report.parent).toBe(warm.report.archive.name);
    expect(report.progress).toMatchObject({ files: 101, unchangedFiles: 101 });
    expect(read).toBeLessThan(LITTLE_BYTES);
    expect(await sameContent(report)).toBe(true);
  });

  it('is read again, and nothing stored twice, with a write key that keeps nothing', async () => {
    const { report, read } = await again({ rights: 'write' });
    expect(report.parent).toBeUndefined();
    expect(report.progress).toMatchObject({ files: 101, unchangedFiles: 0 });
    expect(read).toBeGreaterThan(LARGE_BYTES);
    // Directories above the source may have changed.
    expect(report.progress.newBytes).toBeLessThan(4096);
    expect(await sameContent(report)).toBe(true);
  });

  it('is read again when that is asked for', async () => {
    const repository = await scratch.open();
    const before = bytesRead();
    const report = await repository.backup({ paths: [scratch.source], series: 'one', rereadAll: true });
    expect(bytesRead() - before).toBeGreaterThan(LARGE_BYTES);
    expect(report.progress.unchangedFiles).toBe(0);
  });

  async function sameContent({ archive }: BackupReport): Promise<boolean> {
    const repository = await scratch.open();
    const ids = await contentIds(repository, archive, scratch.source);
    return ids === (await contentIds(repository, first.archive, scratch.source));
  }
});

describe('what is read again', () => {
  let scratch: BackupScratch;

  async function backup(options: OpenOptions = {}): Promise<BackupReport> {
    return await (await scratch.open(options)).backup({ paths: [scratch.source], series: 'one', threads: 0 });
  }

  beforeAll(async () => {
    scratch = await BackupScratch.create(SMALL_CHUNKS);
    for (let i = 0; i < 20; i++) writeFileSync(scratch.in(`file-${i}`), pseudoRandomBytes(`file ${i}`, 3 * 1024));
    await backup();
  });
  afterAll(() => scratch[Symbol.dispose]());

  it('is the one file that changed, and only its content is stored', async () => {
    appendFileSync(scratch.in('file-3'), 'more');
    const report = await backup();
    expect(report.progress).toMatchObject({ files: 20, unchangedFiles: 19 });
    expect(report.progress.newBytes).toBeLessThan(20 * 1024);
    const repository = await scratch.open();
    const content = await contentOf(repository, report.archive, scratch.in('file-3'));
    expect(content.equals(readFileSync(scratch.in('file-3')))).toBe(true);
  });

  it('is a file of the same size whose modification time was set back', async () => {
    await backup();
    const path = scratch.in('file-4');
    const { atime, mtime } = statSync(path);
    writeFileSync(path, pseudoRandomBytes('other', 3 * 1024));
    utimesSync(path, atime, mtime);
    const report = await backup();
    expect(report.progress.unchangedFiles).toBe(19);
    const content = await contentOf(await scratch.open(), report.archive, path);
    expect(content.equals(pseudoRandomBytes('other', 3 * 1024))).toBe(true);
  });

  it('is a file replaced by another of the same size and times', async () => {
    await backup();
    const path = scratch.in('file-5');
    const { atime, mtime } = statSync(path);
    rmSync(path);
    writeFileSync(path, pseudoRandomBytes('replaced', 3 * 1024));
    utimesSync(path, atime, mtime);
    expect((await backup()).progress.unchangedFiles).toBe(19);
  });

  it('is everything that was modified less than two seconds before the earlier run began', async () => {
    writeFileSync(scratch.in('file-6'), 'just now');
    await backup({ aheadS: 0 });
    expect((await backup()).progress.unchangedFiles).toBeLessThan(20);
    // By now the earlier run began long after, by its own clock.
    expect((await backup()).progress.unchangedFiles).toBe(20);
  });

  it('is a file whose chunks are in no pack any more, although the kept trees have it', async () => {
    await backup({ rights: 'write', remember: true });
    expect((await backup({ rights: 'write', remember: true })).progress.unchangedFiles).toBe(20);
    const lossy = await DirectoryStore.open(scratch.storePath);
    for (const kind of ['packs', 'index'] as const) for await (const key of lossy.list(kind)) await lossy.delete(key);
    const report = await backup({ rights: 'write', remember: true });
    expect(report.progress.unchangedFiles).toBe(0);
    expect(await scratch.differences(await scratch.open(), report)).toEqual([]);
  });
});

const RIGHTS: readonly Rights[] = ['root', 'write'];
describe.each(RIGHTS)('files with chunk lists, with the %s key', (rights) => {
  it('are taken over unread, lists included', async () => {
    using scratch = await BackupScratch.create(SMALL_CHUNKS);
    writeFileSync(scratch.in('listed'), pseudoRandomBytes('listed', 3 * MiB));
    const run = async (): Promise<BackupReport> =>
      await (await scratch.open({ rights, remember: true })).backup({ paths: [scratch.source], threads: 0 });
    await run();
    for (let round = 0; round < 3; round++) {
      const report = await run();
      expect(report.progress).toMatchObject({ files: 1, unchangedFiles: 1 });
      const repository = await scratch.open();
      const entry = await (await repository.view(report.archive)).entry(scratch.in('listed'));
      expect(entry.content?.level).toBeGreaterThan(0);
      const content = await contentOf(repository, report.archive, scratch.in('listed'));
      expect(content.equals(readFileSync(scratch.in('listed')))).toBe(true);
    }
  });
});
