import { lstatSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ObjectStore } from '../ports/object-store.ts';
import { directoryNode, fileNode } from '../testing/archive-builder.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { RestoreScratch } from '../testing/restore-scratch.ts';

const KiB = 1024;

let scratch: RestoreScratch;
beforeEach(async () => {
  scratch = await RestoreScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

/** Counts reads of packs with file data. */
function countingStore(counts: { reads: number }): ObjectStore {
  const inner = scratch.builder.store;
  return {
    description: inner.description,
    put: (...parameters) => inner.put(...parameters),
    get: (key, options) => {
      if (scratch.dataPacks().includes(`packs/${key.name}`)) counts.reads += 1;
      return inner.get(key, options);
    },
    list: (...parameters) => inner.list(...parameters),
    delete: (...parameters) => inner.delete(...parameters),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
}

describe('restoring contents', () => {
  it('restores files of no, one and many chunks, each exactly', async () => {
    const pieces = Array.from({ length: 200 }, (_, i) => pseudoRandomBytes(`piece ${i}`, 3 * KiB + i));
    const report = await scratch.restoreNodes([
      fileNode('empty', ''),
      fileNode('small', 'one chunk'),
      directoryNode('sub', [fileNode('large', pieces)]),
    ]);
    expect(scratch.text('empty')).toBe('');
    expect(scratch.text('small')).toBe('one chunk');
    expect(scratch.bytes('sub/large').equals(Buffer.concat(pieces))).toBe(true);
    expect(report).toMatchObject({ files: 3, directories: 1, others: 0, problems: [], problemCounts: {} });
    expect(report.bytes).toBe(9 + pieces.reduce((sum, piece) => sum + piece.length, 0));
  });

  it('reads a chunk once however many files share it', async () => {
    const shared = pseudoRandomBytes('shared', 20 * KiB);
    const files = Array.from({ length: 300 }, (_, i) => fileNode(`file-${i}`, [shared]));
    const twice = fileNode('twice', [shared, Buffer.from('between'), shared]);
    const archive = await scratch.builder.commit([...files, twice]);
    const counts = { reads: 0 };
    const report = await scratch.restore(archive, {}, {}, countingStore(counts));
    expect(counts.reads).toBe(1);
    expect(report.files).toBe(301);
    for (let i = 0; i < 300; i++) expect(scratch.bytes(`file-${i}`).equals(shared)).toBe(true);
    expect(scratch.bytes('twice').equals(Buffer.concat([shared, Buffer.from('between'), shared]))).toBe(true);
  });

  it('puts data between holes, in small and large files', async () => {
    const data = [pseudoRandomBytes('a', 10 * KiB), pseudoRandomBytes('b', 6 * KiB)];
    const all = Buffer.concat(data);
    const holes = [
      [0, 4 * KiB],
      [7 * KiB, KiB],
      [21 * KiB, 100 * KiB],
    ] as const;
    const expected = Buffer.alloc(121 * KiB);
    all.copy(expected, 4 * KiB, 0, 3 * KiB);
    all.copy(expected, 8 * KiB, 3 * KiB, 16 * KiB);
    await scratch.restoreNodes([
      fileNode('large', data, { holes }),
      fileNode('small', [all], { holes }),
      fileNode('nothing', '', { holes: [[0, 5]] }),
    ]);
    expect(scratch.bytes('large').equals(expected)).toBe(true);
    expect(scratch.bytes('small').equals(expected)).toBe(true);
    expect(scratch.bytes('nothing').equals(Buffer.alloc(5))).toBe(true);
  });

  it('makes a sparse file of 1 TiB at once', async () => {
    const size = 2 ** 40;
    const half = size / 2;
    const holes = [
      [5, half - 5],
      [half + 6, half - 6],
    ] as const;
    await scratch.restoreNodes([fileNode('huge', [Buffer.from('begin'), Buffer.from('middle')], { holes })]);
    const stats = statSync(scratch.path('huge'));
    expect(stats.size).toBe(size);
    expect(stats.blocks * 512).toBeLessThan(64 * KiB);
  });

  it('writes holes as zeros when asked', async () => {
    const size = 12 * KiB * KiB;
    await scratch.restoreNodes(
      [fileNode('file', 'x', { holes: [[1, size - 1]] }), fileNode('short', 'x', { holes: [[1, 99_999]] })],
      { sparse: false },
    );
    expect(statSync(scratch.path('file')).blocks * 512).toBeGreaterThanOrEqual(size);
    expect(statSync(scratch.path('short')).blocks * 512).toBeGreaterThanOrEqual(99_999);
    expect(scratch.bytes('file').equals(Buffer.concat([Buffer.from('x'), Buffer.alloc(size - 1)]))).toBe(true);
  });

  it('restores more files and directories than are held at once', async () => {
    const directories = Array.from({ length: 450 }, (_, d) => {
      const pieces = [Buffer.from(`first of ${d} `), Buffer.from('second')];
      return directoryNode(`directory-${d}`, [fileNode('file', pieces)], {
        mtimeNs: BigInt(d) * 1_000_000_000n,
        mode: 0o555,
      });
    });
    const report = await scratch.restoreNodes(directories);
    expect(report).toMatchObject({ files: 450, directories: 450, problems: [] });
    for (let d = 0; d < 450; d++) {
      expect(scratch.text(`directory-${d}/file`)).toBe(`first of ${d} second`);
      expect(lstatSync(scratch.path(`directory-${d}`))).toMatchObject({ mode: 0o40555, mtimeMs: d * 1000 });
    }
  });

  it('restores a tree that is deeper than descriptors are held', async () => {
    let node = fileNode('bottom', 'bottom');
    for (let level = 450; level > 0; level--) node = directoryNode('d', [node], { mode: 0o500 });
    const report = await scratch.restoreNodes([node]);
    expect(report).toMatchObject({ files: 1, directories: 450, problems: [] });
    expect(scratch.text(`${'d/'.repeat(450)}bottom`)).toBe('bottom');
    expect(lstatSync(scratch.path('d')).mode & 0o777).toBe(0o500);
  });

  it('tells how far it is', async () => {
    const archive = await scratch.builder.commit([fileNode('a', 'aaa'), directoryNode('b', [fileNode('c', 'cc')])]);
    const seen: unknown[] = [];
    await scratch.restore(archive, {}, { onProgress: (progress) => seen.push(progress) });
    expect(seen.at(-1)).toEqual({ files: 2, directories: 1, others: 0, bytes: 5 });
  });

  it('counts and touches nothing in a dry run', async () => {
    const link = { link: 0, inode: 7n };
    const archive = await scratch.builder.commit([
      fileNode('a', 'aaa', link),
      fileNode('b', 'aaa', link),
      directoryNode('c', []),
    ]);
    const report = await scratch.restore(archive, { dryRun: true });
    expect(report).toMatchObject({ files: 2, directories: 1, bytes: 3 });
    expect(() => statSync(scratch.target)).toThrow('ENOENT');
  });
});
