import { execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { fromUtf8, type ArchiveRecord, type Repository } from '../dist/index.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { makeHardTree } from '../dist/testing/hard-tree.js';
import { BackupScratch } from './support/scratch.js';

/** What GNU tar keeps and takes back of a tree: all but sockets and inode flags. */
const EVERYTHING = ['--xattrs', '--xattrs-include=*', '--acls', '--numeric-owner', '--same-permissions'];
const isSocket = (path: string): boolean => path.startsWith('nodes/socket');
/** GNU tar packs further names of FIFOs and devices as nodes of their own. */
const isUnlinked = (path: string): boolean => /^nodes\/.*-second$/.test(path) || isSocket(path);

let scratch: BackupScratch;
let repository: Repository;
let archive: ArchiveRecord;

beforeEach(async () => {
  if (process.geteuid?.() !== 0) throw new Error('these tests make devices and owners: run them as root');
  scratch = await BackupScratch.create();
  repository = await scratch.open();
  makeHardTree(fromUtf8(scratch.source), { small: true, entries: 30, depth: 60 });
});
afterEach(() => scratch[Symbol.dispose]());

async function backUp(): Promise<void> {
  ({ archive } = await repository.backup({ paths: [scratch.source], threads: 0 }));
}

async function exported(ref = archive): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const depth = scratch.source.split('/').length - 1;
  await repository.exportTar(ref, (bytes) => void parts.push(new Uint8Array(bytes)), {
    paths: [ref === archive ? scratch.source : '/'],
    stripComponents: ref === archive ? depth : 0,
  });
  return Buffer.concat(parts);
}

function untar(tar: Buffer, into: string): void {
  mkdirSync(scratch.path(into));
  writeFileSync(scratch.path(`${into}.tar`), tar);
  const warnings = execFileSync(
    'tar',
    [...EVERYTHING, '--sparse', '-xf', scratch.path(`${into}.tar`), '-C', scratch.path(into)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, LC_ALL: 'C' },
    },
  );
  expect(warnings.toString()).toBe('');
}

function differences(other: string): string[] {
  const options = { ignore: ['flags'] as const, ignoreRoot: true, ignorePath: isSocket, sparse: true };
  return compareTrees(fromUtf8(scratch.source), fromUtf8(other), options);
}

describe('an export', () => {
  it('is unpacked by GNU tar as the tree that was backed up', async () => {
    await backUp();
    untar(await exported(), 'unpacked');
    expect(differences(scratch.path('unpacked'))).toEqual([]);
  });

  it('has the same bytes each time, and is a whole number of records', async () => {
    await backUp();
    const first = await exported();
    expect((await exported()).equals(first)).toBe(true);
    expect(first.length % 10_240).toBe(0);
  });

  it('is what an import makes the same archive of', async () => {
    await backUp();
    const tar = await exported();
    const again = await repository.importTar(
      (async function* () {
        // In pieces that end anywhere.
        for (let at = 0; at < tar.length; at += 7919) yield tar.subarray(at, at + 7919);
      })(),
      {},
    );
    expect(again.problems).toEqual([]);
    expect((await exported(again.archive)).equals(tar)).toBe(true);
  });
});

describe('an import', () => {
  it.each([
    ['pax', ['--format=pax', '--sparse']],
    ['pax, sparse 0.1', ['--format=pax', '--sparse', '--sparse-version=0.1']],
    ['pax, sparse 0.0', ['--format=pax', '--sparse', '--sparse-version=0.0']],
    ['pax, not sparse', ['--format=pax']],
  ])('of what GNU tar packs (%s) restores as the tree that was packed', async (_, options) => {
    execFileSync('tar', [...EVERYTHING, ...options, '-cf', scratch.path('packed.tar'), '-C', scratch.source, '.'], {
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const report = await repository.importTar(createReadStream(scratch.path('packed.tar')), { threads: 2 });
    expect(report.problems).toEqual([]);
    const target = scratch.path('restored');
    const restored = await repository.restore(report.archive, target, { privileged: true, threads: 0 });
    expect(restored.problems).toEqual([]);
    const ignore = options.includes('--sparse') ? (['flags'] as const) : (['flags', 'allocation'] as const);
    expect(
      compareTrees(fromUtf8(scratch.source), fromUtf8(target), { ignore, ignorePath: isUnlinked, sparse: true }),
    ).toEqual([]);
    expect((await repository.check({ data: true, threads: 0 })).findings).toEqual([]);
  });

  it.each([
    ['gnu', ['--format=gnu', '--sparse']],
    ['ustar', ['--format=ustar']],
    ['v7', ['--format=v7']],
  ])('of the older format %s has what that format keeps', async (format, options) => {
    const names =
      format === 'gnu'
        ? ['contents', 'sparse', 'links', 'modes', 'deep', 'wide']
        : ['contents', 'modes', 'wide', 'sparse'];
    execFileSync('tar', [
      '--numeric-owner',
      ...options,
      '-cf',
      scratch.path('packed.tar'),
      '-C',
      scratch.source,
      ...names,
    ]);
    const report = await repository.importTar(createReadStream(scratch.path('packed.tar')), { threads: 0 });
    const target = scratch.path('restored');
    await repository.restore(report.archive, target, { privileged: true, threads: 0 });
    for (const name of names) {
      const ignore = ['flags', 'mtime'] as const;
      const differ = compareTrees(fromUtf8(scratch.in(name)), fromUtf8(`${target}/${name}`), { ignore });
      expect(differ).toEqual([]);
    }
  });

  it('takes the last of several members of one name, and finds hard links', async () => {
    writeFileSync(scratch.path('one'), 'first');
    const tar = scratch.path('appended.tar');
    execFileSync('tar', ['-cf', tar, '-C', scratch.directory, 'one']);
    writeFileSync(scratch.path('one'), 'second');
    execFileSync('tar', ['-rf', tar, '-C', scratch.directory, 'one']);
    const { archive: imported } = await repository.importTar(createReadStream(tar), { threads: 0 });
    await repository.restore(imported, scratch.path('restored'), { threads: 0 });
    expect(readFileSync(scratch.path('restored', 'one'), 'utf8')).toBe('second');
    expect(imported.descriptor.stats).toMatchObject({ files: 1, bytes: 6 });
  });
});
