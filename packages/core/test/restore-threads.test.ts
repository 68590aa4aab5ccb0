import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { directoryNode, fileNode, symlinkNode, type ArchiveNode } from '../dist/testing/archive-builder.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { RestoreScratch } from '../dist/testing/restore-scratch.js';
import { restoreArchive } from '../dist/verbs/restore.js';

const KiB = 1024;
const isRoot = process.geteuid?.() === 0;

let scratch: RestoreScratch;
beforeEach(async () => {
  scratch = await RestoreScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

/** Small and large files, shared chunks, hard links, holes and special names in so many directories. */
function mixedTree(directories: number, filesEach: number): ArchiveNode[] {
  return Array.from({ length: directories }, (_, d) => {
    const files = Array.from({ length: filesEach }, (__, f) =>
      fileNode(`file-${f}`, `content ${d} of ${f % 5} ${'x'.repeat((d * 31 + f) % 700)}`, { mode: 0o600 + (f % 8) }),
    );
    const pieces = Array.from({ length: 6 }, (__, i) => pseudoRandomBytes(`${d % 3} ${i}`, 20 * KiB + d));
    return directoryNode(`directory-${d}`, [
      ...files,
      fileNode('large', pieces, { holes: [[7, 100 * KiB]] }),
      fileNode('linked', 'one file', { link: 0, inode: BigInt(d % 4) }),
      symlinkNode('link', `../directory-${d + 1}/large`),
      directoryNode('inner', [fileNode(`\xff ${d}`, 'name')], { mode: 0o500 }),
    ]);
  });
}

describe.each([0, 2])('a restore with %i threads', (threads) => {
  it('gives the same tree', async () => {
    const archive = await scratch.builder.commit(mixedTree(12, 30));
    const report = await scratch.restore(archive, { threads });
    expect(report).toMatchObject({ files: 12 * 33, directories: 24, others: 12, problems: [] });
    const access = await scratch.builder.access();
    const other = join(scratch.directory, 'other');
    await restoreArchive(access, archive, other, { threads: 0 });
    expect(compareTrees(scratch.target, other, { sparse: true })).toEqual([]);
  });

  it('leaves damaged files out, and no part of them', async () => {
    const archive = await scratch.builder.commit(mixedTree(12, 12), { packBytes: 60 * KiB });
    const packs = scratch.dataPacks();
    scratch.objects.delete(packs[0] as string);
    scratch.alter(packs[3] as string, (body) => body.fill(0, body.length >> 1));
    const report = await scratch.restore(archive, { threads });
    const { damaged = 0 } = report.problemCounts;
    expect(Object.keys(report.problemCounts)).toEqual(['damaged']);
    expect(damaged).toBeGreaterThan(3);
    expect(report.files).toBe(12 * 15 - damaged);
    const access = await scratch.builder.access();
    await scratch.builder.secondWriter().commit(mixedTree(12, 12));
    const other = join(scratch.directory, 'other');
    expect((await restoreArchive(access, archive, other, { threads: 0 })).problems).toEqual([]);
    const left = new Set(report.problems.map(({ path }) => path.slice(1)));
    expect(compareTrees(scratch.target, other, { ignorePath: (path) => left.has(path), ignore: ['links'] })).toEqual(
      [],
    );
    for (const path of left) expect(existsSync(Buffer.from(join(scratch.target, path), 'latin1'))).toBe(false);
  });

  it('leaves no half-written file when it is cancelled', async () => {
    const archive = await scratch.builder.commit(mixedTree(70, 3));
    const whole = join(scratch.directory, 'whole');
    await restoreArchive(await scratch.builder.access(), archive, whole, { threads: 0 });
    const control = new AbortController();
    const restore = scratch.restore(
      archive,
      { threads },
      {
        signal: control.signal,
        onProgress: ({ files }) => files > 30 && control.abort(),
      },
    );
    await expect(restore).rejects.toMatchObject({ code: 'CANCELLED' });
    const differences = compareTrees(scratch.target, whole, {
      ignore: ['mode', 'owner', 'mtime', 'links', 'xattrs'],
      limit: 100_000,
    });
    expect(differences.length).toBeGreaterThan(0);
    expect(differences.filter((line) => !line.endsWith('only in the second tree'))).toEqual([]);
    expect(descriptorsBelow(scratch.target)).toEqual([]);
  });

  it('stops before anything happens when it is cancelled already', async () => {
    const archive = await scratch.builder.commit([fileNode('f', 'f')]);
    const restore = scratch.restore(archive, { threads }, { signal: AbortSignal.abort() });
    await expect(restore).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(existsSync(scratch.target)).toBe(false);
  });

  it('never writes outside when directories are swapped for links meanwhile', async () => {
    const archive = await scratch.builder.commit(mixedTree(80, 3));
    const outside = join(scratch.directory, 'outside');
    mkdirSync(outside);
    const attacker = new Worker(SWAPPER, { eval: true, workerData: { target: scratch.target, outside } });
    const attacked = new Promise<number>((resolve) => attacker.once('message', resolve));
    const report = await scratch.restore(archive, { threads });
    attacker.postMessage('stop');
    expect(await attacked).toBeGreaterThan(0);
    expect(readdirSync(outside)).toEqual([]);
    const kinds = Object.keys(report.problemCounts).filter((kind) => kind !== 'target' && kind !== 'link');
    expect(kinds).toEqual([]);
  });

  it.runIf(isRoot)('ends with the name of the file when there is no space', async () => {
    mkdirSync(scratch.target);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', scratch.target]);
    try {
      const archive = await scratch.builder.commit(mixedTree(4, 5));
      await expect(scratch.restore(archive, { threads })).rejects.toMatchObject({
        code: 'TARGET_FAILED',
        message: expect.stringMatching(/cannot restore \/directory-.*ENOSPC/) as string,
      });
      for (const name of readdirSync(scratch.target, { recursive: true, encoding: 'latin1' })) {
        if (name.endsWith('large')) expect(statSync(join(scratch.target, name)).size).toBeGreaterThanOrEqual(220 * KiB);
      }
    } finally {
      execFileSync('umount', [scratch.target]);
    }
  });
});

/** Open descriptors of this process that lead below a directory. */
function descriptorsBelow(directory: string): string[] {
  const links = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [execFileSync('readlink', [`/proc/${process.pid}/fd/${fd}`], { encoding: 'utf8' }).trim()];
    } catch {
      // The descriptor of the listing itself is gone by now.
      return [];
    }
  });
  return links.filter((target) => target.startsWith(directory));
}

/** Moves directories of the target away and puts links in their place, again and again. */
const SWAPPER = `
const { parentPort, workerData } = require('node:worker_threads');
const fs = require('node:fs');
const { target, outside } = workerData;
let swaps = 0;
let running = true;
parentPort.on('message', () => { running = false; });
function swap() {
  for (let i = 0; i < 40; i++) {
    const path = target + '/directory-' + Math.floor(Math.random() * 80) + (Math.random() < 0.3 ? '/inner' : '');
    try {
      fs.renameSync(path, path + '.away');
      fs.symlinkSync(outside, path);
      swaps += 1;
    } catch {}
  }
  if (running) setImmediate(swap);
  else { parentPort.postMessage(swaps); parentPort.close(); }
}
swap();
`;
