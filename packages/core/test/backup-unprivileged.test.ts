import { chmodSync, chownSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { displayName, fromUtf8, toUtf8 } from '../dist/index.js';
import { backupProcess, type BackupProcessResult } from './support/backup-process.js';
import { BackupScratch, contentOf } from './support/scratch.js';

const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
/** Root, but not allowed to do what only a file's owner may. */
const AS_LESSER_ROOT = ['setpriv', '--bounding-set=-fowner', '--inh-caps=-all'];

let scratch: BackupScratch;

beforeEach(async () => {
  scratch = await BackupScratch.create();
  chmodSync(scratch.directory, 0o755);
});
afterEach(() => scratch[Symbol.dispose]());

/** Backs the source up in a process of that user, to whom the repository belongs. */
async function backupAs(through: readonly string[], threads: number): Promise<BackupProcessResult> {
  const key = scratch.keyFile();
  chownSync(key, NOBODY, NOBODY);
  scratch.giveStoreTo(NOBODY);
  const result = await backupProcess(
    { store: scratch.storePath, key, paths: [scratch.source], series: 'nobody', threads },
    { through },
  );
  if (result === undefined) throw new Error('nobody killed it');
  return result;
}

describe.runIf(isRoot).each([0, 2])('a backup by somebody who may not read everything (%i threads)', (threads) => {
  it('stores the rest, names what it could not read by kind, and is not complete', async () => {
    const secret = 'not for others';
    for (const name of ['a', 'c', 'e']) writeFileSync(scratch.in(name), `content of ${name}`);
    writeFileSync(scratch.in('b'), secret, { mode: 0o600 });
    writeFileSync(scratch.in('large'), Buffer.alloc(20 * 1024 * 1024, 'x'), { mode: 0o600 });
    mkdirSync(scratch.in('d'), { mode: 0o700 });
    writeFileSync(scratch.in('d', 'inside'), secret);
    // May be listed, but not looked into; may be looked into, but not listed.
    mkdirSync(scratch.in('f'));
    writeFileSync(scratch.in('f', 'inside'), 'listed');
    chmodSync(scratch.in('f'), 0o744);
    mkdirSync(scratch.in('g'));
    writeFileSync(scratch.in('g', 'inside'), 'not listed');
    chmodSync(scratch.in('g'), 0o711);
    // One file of two names, and neither can be read.
    linkSync(scratch.in('b'), scratch.in('b-again'));

    const result = await backupAs(AS_NOBODY, threads);
    expect(result.error).toBeUndefined();
    expect(result.complete).toBe(false);
    const expected = ['b', 'b-again', 'd', 'f/inside', 'g', 'large'].map((name) => scratch.in(name));
    expect(result.problems.map(({ path }) => toUtf8(path)).toSorted()).toEqual(expected);
    expect(new Set(result.problems.map(({ kind }) => kind))).toEqual(new Set(['unreadable']));
    expect(result.warnings).toEqual([['unreadable', expected.length]]);
    for (const { path, message } of result.problems) expect(message).toContain(`${displayName(path)}: EACCES`);

    const repository = await scratch.open();
    const archive = repository.archive(result.name);
    for (const name of ['a', 'c', 'e']) {
      expect((await contentOf(repository, archive, scratch.in(name))).toString()).toBe(`content of ${name}`);
    }
    const view = await repository.view(archive);
    const names: string[] = [];
    for await (const { path } of view.walk(fromUtf8(scratch.source))) names.push(path);
    // A directory that cannot be listed is there all the same, with its attributes and without its entries.
    expect(names.map((path) => path.slice(scratch.source.length + 1))).toEqual(['', 'a', 'c', 'd', 'e', 'f', 'g']);
    expect((await view.entry(fromUtf8(scratch.in('d')))).mode).toBe(0o700);
  });

  it('rejects when nothing at all could be read', async () => {
    writeFileSync(scratch.in('a'), 'secret', { mode: 0o600 });
    expect((await backupAs(AS_NOBODY, threads)).error).toBe('SOURCE_UNREADABLE');
  });
});

describe.runIf(isRoot)('a backup by root in a container that keeps the right of owners from it', () => {
  it('reads what belongs to others all the same', async () => {
    mkdirSync(scratch.in('directory'));
    for (const name of ['a', 'directory/b', 'large']) {
      writeFileSync(scratch.in(name), name === 'large' ? Buffer.alloc(20 * 1024 * 1024, 'x') : 'content');
      chownSync(scratch.in(name), NOBODY, NOBODY);
    }
    chownSync(scratch.in('directory'), NOBODY, NOBODY);
    const result = await backupAs(AS_LESSER_ROOT, 1);
    expect(result.problems).toEqual([]);
    expect(result).toMatchObject({ complete: true, progress: { files: 3 } });
  });
});
