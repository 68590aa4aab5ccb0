import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { CairnError } from '../errors.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { directoryNode, fileNode, symlinkNode } from '../testing/archive-builder.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { removeTree } from '../testing/remove-tree.ts';
import { RestoreScratch } from '../testing/restore-scratch.ts';
import { restoreArchive } from './restore.ts';

const KiB = 1024;

let scratch: RestoreScratch;
beforeEach(async () => {
  scratch = await RestoreScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

/** A reference to one chunk of 10 bytes that no pack has. */
const UNKNOWN_CONTENT = {
  level: 0,
  records: Buffer.concat([Buffer.alloc(32, 7), Buffer.from([10, 0, 0, 0, 0, 0, 0, 0])]),
  length: 10,
};

function flip(at: number): (body: Uint8Array) => Uint8Array {
  return (body) => {
    body[at] = (body[at] as number) ^ 1;
    return body;
  };
}

describe('restoring what cannot be read', () => {
  it('leaves out a file with a damaged chunk, and nothing else', async () => {
    const pieces = Array.from({ length: 8 }, (_, i) => pseudoRandomBytes(`${i}`, 40 * KiB));
    const nodes = [fileNode('large', pieces), fileNode('one', [pieces[0] as Buffer]), fileNode('other', 'fine')];
    const archive = await scratch.builder.commit(nodes, { packBytes: 1 });
    const label = scratch.dataPacks()[3] as string;
    scratch.alter(label, flip(20 * KiB));
    const report = await scratch.restore(archive);
    expect(readdirSync(scratch.target)).toEqual(['one', 'other']);
    expect(report).toMatchObject({ files: 2, problemCounts: { damaged: 1 } });
    expect(report.problems).toMatchObject([{ kind: 'damaged', path: '/large' }]);
    expect(report.problems[0]?.message).toContain(label.slice('packs/'.length));
  });

  it('restores everything but the files of a missing pack', async () => {
    const files = Array.from({ length: 40 }, (_, i) => fileNode(`file-${i}`, [pseudoRandomBytes(`${i}`, 5 * KiB)]));
    const archive = await scratch.builder.commit(files, { packBytes: 50 * KiB });
    scratch.objects.delete(scratch.dataPacks()[0] as string);
    const report = await scratch.restore(archive);
    const { damaged = 0 } = report.problemCounts;
    expect(damaged).toBeGreaterThan(0);
    expect(report.files).toBe(40 - damaged);
    const names = readdirSync(scratch.target);
    expect(names).toHaveLength(40 - damaged);
    for (const name of names) expect(statSync(scratch.path(name)).size).toBe(5 * KiB);
  });

  it('saves what lies before the end of a pack that was cut', async () => {
    const files = Array.from({ length: 20 }, (_, i) => fileNode(`file-${i}`, [pseudoRandomBytes(`${i}`, 5 * KiB)]));
    const archive = await scratch.builder.commit(files);
    scratch.alter(scratch.dataPacks()[0] as string, (body) => body.subarray(0, 60 * KiB));
    const report = await scratch.restore(archive);
    expect(report.files).toBeGreaterThan(8);
    expect(report.files + (report.problemCounts.damaged ?? 0)).toBe(20);
  });

  it('takes a chunk from another pack when the first is gone', async () => {
    const first = await scratch.builder.commit([fileNode('file', 'content')]);
    const second = await scratch.builder.secondWriter().commit([fileNode('file', 'content')]);
    const packs = scratch.dataPacks();
    expect(packs).toHaveLength(2);
    for (const lost of packs) {
      const object = scratch.objects.get(lost);
      scratch.objects.delete(lost);
      for (const archive of [first, second]) {
        expect((await scratch.restore(archive)).problems).toEqual([]);
        expect(scratch.text('file')).toBe('content');
        removeTree(scratch.target);
      }
      if (object !== undefined) scratch.objects.set(lost, object);
    }
  });

  it('finds chunks that were moved while it ran', async () => {
    const archive = await scratch.builder.commit([fileNode('file', 'content')]);
    const access = await scratch.builder.access();
    await access.index();
    await scratch.builder.secondWriter().commit([fileNode('file', 'content')]);
    scratch.objects.delete(scratch.dataPacks()[0] as string);
    const report = await restoreArchive(access, archive, scratch.target, { threads: 0 });
    expect(report.problems).toEqual([]);
    expect(scratch.text('file')).toBe('content');
  });

  it('reports chunks that no pack has, and directories that cannot be read', async () => {
    const report = await scratch.restoreNodes([
      directoryNode('a', [fileNode('file', 'a')]),
      directoryNode('b', [], { content: UNKNOWN_CONTENT }),
      fileNode('c', '', { content: UNKNOWN_CONTENT, size: 10 }),
      fileNode('d', 'd'),
    ]);
    expect(scratch.text('a/file')).toBe('a');
    expect(scratch.text('d')).toBe('d');
    expect(existsSync(scratch.path('c'))).toBe(false);
    expect(report).toMatchObject({ files: 2, problemCounts: { damaged: 2 } });
    expect(report.problems.map(({ path }) => path).sort()).toEqual(['/b', '/c']);
  });

  it('refuses names that lead elsewhere', async () => {
    const names = ['../evil', '.', '..', 'sub/evil', '/evil', 'x\0y'];
    const directory = directoryNode('sub', [fileNode('fine', 'fine')]);
    for (const name of names) {
      const report = await scratch.restoreNodes([directory, fileNode(name, 'evil')]);
      expect(report.problemCounts.damaged, name).toBeGreaterThan(0);
      expect(readdirSync(scratch.directory)).toEqual(['target']);
      expect(readdirSync(scratch.path('.')).filter((found) => found !== 'sub')).toEqual([]);
      removeTree(scratch.target);
    }
    expect(existsSync('/evil')).toBe(false);
  });

  it('refuses a second entry of one name, as a link planted below a directory would be', async () => {
    const outside = join(scratch.directory, 'outside');
    const report = await scratch.restoreNodes([
      symlinkNode('x', scratch.directory),
      directoryNode('x', [fileNode('outside', 'evil')]),
    ]);
    expect(report.problemCounts.damaged).toBe(1);
    expect(existsSync(outside)).toBe(false);
  });

  it('needs a key that opens contents', async () => {
    const archive = await scratch.builder.commit([fileNode('file', 'content')]);
    const { skD: _skD, root: _root, ...maintain } = scratch.builder.keys;
    const access = await scratch.builder.access(scratch.builder.store, maintain);
    const restore = restoreArchive(access, archive, scratch.target, { threads: 0 });
    await expect(restore).rejects.toMatchObject({ code: 'RIGHT_MISSING' });
    expect(existsSync(scratch.target)).toBe(false);
  });

  it('ends when the store does not answer', async () => {
    const files = Array.from({ length: 4 }, (_, i) => fileNode(`file-${i}`, [pseudoRandomBytes(`${i}`, 5 * KiB)]));
    const archive = await scratch.builder.commit(files, { packBytes: 1 });
    const error = (): Error => new CairnError('STORE_UNREACHABLE', 'gone');
    const counting = new FaultyStore(scratch.builder.store);
    await scratch.restore(archive, {}, {}, counting);
    removeTree(scratch.target);
    const store: ObjectStore = new FaultyStore(scratch.builder.store, [
      { operation: 'get', at: counting.counts.get - 1, when: 'before', times: Infinity, error },
    ]);
    await expect(scratch.restore(archive, {}, {}, store)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    for (const name of readdirSync(scratch.target)) expect(statSync(scratch.path(name)).size).toBe(5 * KiB);
  });
});
