import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  DirectoryStore,
  fromUtf8,
  isCairnError,
  type ArchiveRecord,
  type Overwrite,
  type Repository,
  type RestoreAction,
  type RestoreReport,
} from '../dist/index.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { FaultyStore } from '../dist/testing/faulty-store.js';
import { makeHardTree } from '../dist/testing/hard-tree.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { BackupScratch } from './support/scratch.js';

let scratch: BackupScratch;
let repository: Repository;
let archive: ArchiveRecord;
/** Below it the archive is restored. */
let target: string;
/** Where the source is then. */
let restored: string;

beforeEach(async () => {
  if (process.geteuid?.() !== 0) throw new Error('these tests make devices and owners: run them as root');
  scratch = await BackupScratch.create();
  repository = await scratch.open();
  target = scratch.path('target');
  restored = `${target}${scratch.source}`;
});
afterEach(() => scratch[Symbol.dispose]());

async function backUp(): Promise<void> {
  ({ archive } = await repository.backup({ paths: [scratch.source], threads: 0 }));
}

interface InPlace {
  readonly overwrite?: Overwrite;
  readonly delete?: boolean;
  readonly dryRun?: boolean;
  readonly verify?: boolean;
  readonly threads?: number;
}

async function restore(
  { dryRun = false, verify = false, threads = 0, ...inPlace }: InPlace = {},
  onAction: (action: RestoreAction) => void = () => undefined,
): Promise<RestoreReport> {
  const options = { inPlace, dryRun, verify, threads, privileged: true };
  return await repository.restore(archive, target, options, { onAction });
}

function differences(): string[] {
  return compareTrees(fromUtf8(scratch.source), fromUtf8(restored), { sparse: true });
}

function smallTree(): void {
  mkdirSync(scratch.in('directory'));
  for (const name of ['a', 'b', 'c']) writeFileSync(scratch.in(name), `content of ${name}`);
  writeFileSync(scratch.in('directory', 'large'), pseudoRandomBytes('large', 9_000_000));
  linkSync(scratch.in('a'), scratch.in('directory', 'a-too'));
  symlinkSync('a', scratch.in('link'));
}

describe('a restore in place', () => {
  it.each([0, 2])('makes what is missing, and does nothing when all is there (%i threads)', async (threads) => {
    makeHardTree(fromUtf8(scratch.source), { small: true, entries: 20, depth: 10 });
    await backUp();
    const first = await restore({ threads, verify: true, delete: true });
    expect(first.problems).toEqual([]);
    expect(first.verified).toBeGreaterThan(50);
    expect(differences()).toEqual([]);
    const inode = lstatSync(join(restored, 'contents', 'random')).ino;
    const again = await restore({ threads, delete: true });
    expect(again).toMatchObject({ files: 0, directories: 0, others: 0, replaced: 0, attributes: 0, deleted: 0 });
    expect(again.unchanged).toBe(first.files + first.directories + first.others);
    expect(lstatSync(join(restored, 'contents', 'random')).ino).toBe(inode);
    expect(differences()).toEqual([]);
  });

  it('makes the archive of whatever is there, and says the same before', async () => {
    makeHardTree(fromUtf8(scratch.source), { small: true, entries: 5, depth: 5 });
    await backUp();
    await restore();
    // Every directory gets something else under the names of the next, and more.
    for (const name of readdirSync(restored)) appendFileSync(join(restored, `extra-${name}`), name);
    rmSync(join(restored, 'wide'), { recursive: true });
    writeFileSync(join(restored, 'wide'), 'no directory');
    appendFileSync(join(restored, 'contents', 'random'), 'longer');
    rmSync(join(restored, 'links', 'to-file'));
    writeFileSync(join(restored, 'links', 'to-file'), 'no link');
    rmSync(join(restored, 'nodes', 'fifo'));
    mkdirSync(join(restored, 'deep', 'extra', 'more'), { recursive: true });
    chmodSync(join(restored, 'modes', 'file-0644'), 0o600);
    execFileSync('setfattr', ['-n', 'user.more', '-v', 'x', join(restored, 'xattrs', 'empty')]);
    const planned: RestoreAction[] = [];
    const plan = await restore({ delete: true, dryRun: true }, (action) => planned.push(action));
    const done: RestoreAction[] = [];
    const report = await restore({ delete: true }, (action) => done.push(action));
    expect(report.problems).toEqual([]);
    expect(differences()).toEqual([]);
    const text = (actions: RestoreAction[]) => actions.map(({ action, path }) => `${action} ${path}`).sort();
    // Directories that are made, and what takes the place of something else as a directory, are told by the plan only.
    const made = (lines: string[]) => lines.filter((line) => !/^(create|replace) .*\/wide$/.test(line));
    expect(made(text(done))).toEqual(made(text(planned)));
    expect(plan).toMatchObject({ deleted: report.deleted, unchanged: report.unchanged });
  });

  it.each([
    ['never', 'changed', 'changed'],
    ['different', 'content of b', 'content of b'],
    ['older', 'content of b', 'changed'],
    ['always', 'content of b', 'content of b'],
  ] as const)('with --overwrite %s treats what differs as that says', async (overwrite, older, newer) => {
    smallTree();
    await backUp();
    await restore();
    const equal = lstatSync(join(restored, 'directory', 'large')).ino;
    for (const name of ['b', 'c']) writeFileSync(join(restored, name), 'changed');
    utimesSync(join(restored, 'b'), 1, 1);
    utimesSync(join(restored, 'c'), 4e9, 4e9);
    const report = await restore({ overwrite });
    expect(report.problems).toEqual([]);
    expect(readFileSync(join(restored, 'b'), 'utf8')).toBe(older);
    expect(readFileSync(join(restored, 'c'), 'utf8')).toBe(newer === 'changed' ? newer : 'content of c');
    expect(lstatSync(join(restored, 'directory', 'large')).ino === equal).toBe(overwrite !== 'always');
    if (overwrite === 'never') expect(report).toMatchObject({ files: 0, replaced: 0, unchanged: 0 });
    if (overwrite === 'different') expect(report).toMatchObject({ files: 2, replaced: 2 });
  });

  it('notices a change that size and time do not tell', async () => {
    smallTree();
    await backUp();
    await restore();
    const { mtime } = lstatSync(join(restored, 'directory', 'large'));
    const bytes = readFileSync(join(restored, 'directory', 'large'));
    bytes[5_000_000] = (bytes[5_000_000] ?? 0) ^ 1;
    writeFileSync(join(restored, 'directory', 'large'), bytes);
    utimesSync(join(restored, 'directory', 'large'), mtime, mtime);
    expect(await restore()).toMatchObject({ files: 1, replaced: 1 });
    expect(differences()).toEqual([]);
  });

  it('leaves a directory that has the name of a file, and says so', async () => {
    smallTree();
    await backUp();
    await restore();
    rmSync(join(restored, 'b'));
    mkdirSync(join(restored, 'b'));
    expect((await restore()).problemCounts).toEqual({ exists: 1 });
    expect(lstatSync(join(restored, 'b')).isDirectory()).toBe(true);
  });

  it('makes of any tree the one of the archive', async () => {
    const names = ['a', 'b', 'c'];
    const node = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom('one', 'two', 'three'),
        fc.record({ link: fc.constantFrom('a', '../b', '/etc/passwd') }),
        fc.dictionary(fc.constantFrom(...names), tie('node'), { maxKeys: 3 }),
      ),
    })).node;
    const make = (path: string, value: unknown): void => {
      if (typeof value === 'string') writeFileSync(path, value);
      else if (typeof value === 'object' && value !== null && 'link' in value) symlinkSync(String(value.link), path);
      else {
        mkdirSync(path);
        for (const [name, below] of Object.entries(value as object)) make(join(path, name), below);
      }
    };
    const tree = fc.dictionary(fc.constantFrom(...names), node, { maxKeys: 3 });
    await fc.assert(
      fc.asyncProperty(tree, tree, async (before, after) => {
        rmSync(scratch.source, { recursive: true });
        rmSync(target, { recursive: true, force: true });
        make(scratch.source, before);
        await backUp();
        mkdirSync(join(restored, '..'), { recursive: true });
        make(restored, after);
        const report = await restore({ delete: true });
        const blocked = report.problemCounts.exists ?? 0;
        expect(Object.keys(report.problemCounts)).toEqual(blocked > 0 ? ['exists'] : []);
        if (blocked === 0) expect(differences()).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('links in the target', () => {
  it('are replaced, never followed, wherever they lead', async () => {
    smallTree();
    await backUp();
    const outside = scratch.path('outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'victim'), 'content of b');
    chmodSync(join(outside, 'victim'), 0o600);
    mkdirSync(restored, { recursive: true });
    symlinkSync(outside, join(restored, 'directory'));
    symlinkSync(join(outside, 'victim'), join(restored, 'b'));
    symlinkSync(join(outside, 'new'), join(restored, 'c'));
    symlinkSync(outside, join(restored, 'extra'));
    const before = lstatSync(join(outside, 'victim'));
    expect((await restore({ delete: true })).problems).toEqual([]);
    expect(differences()).toEqual([]);
    expect(readdirSync(outside)).toEqual(['victim']);
    expect(lstatSync(join(outside, 'victim'))).toMatchObject({ mode: before.mode, mtimeMs: before.mtimeMs });
  });

  it('that share a file with others never pass on owner and mode', async () => {
    smallTree();
    chmodSync(scratch.in('b'), 0o666);
    await backUp();
    const victim = scratch.path('victim');
    writeFileSync(victim, 'content of b');
    chmodSync(victim, 0o600);
    mkdirSync(restored, { recursive: true });
    linkSync(victim, join(restored, 'b'));
    linkSync(victim, join(restored, 'a'));
    expect((await restore()).problems).toEqual([]);
    expect(lstatSync(victim)).toMatchObject({ mode: 0o100600, nlink: 1 });
    expect(differences()).toEqual([]);
  });

  it('of one file become those of two when the archive says so', async () => {
    for (const name of ['a', 'c']) {
      writeFileSync(scratch.in(name), 'same');
      utimesSync(scratch.in(name), 5, 5);
      linkSync(scratch.in(name), scratch.in(`${name}-too`));
    }
    await backUp();
    await restore();
    for (const name of ['a-too', 'c', 'c-too']) {
      rmSync(join(restored, name));
      linkSync(join(restored, 'a'), join(restored, name));
    }
    await restore();
    expect(differences()).toEqual([]);
  });
});

describe('removing what the archive does not have', () => {
  it('is done only when asked, and only below sources', async () => {
    smallTree();
    await backUp();
    await restore();
    writeFileSync(join(restored, 'extra'), 'x');
    writeFileSync(join(target, 'beside'), 'x');
    expect((await restore()).deleted).toBe(0);
    expect(existsSync(join(restored, 'extra'))).toBe(true);
    expect((await restore({ delete: true })).deleted).toBe(1);
    expect(existsSync(join(restored, 'extra'))).toBe(false);
    expect(existsSync(join(target, 'beside'))).toBe(true);
  });

  it('leaves what is excluded from the restore', async () => {
    smallTree();
    await backUp();
    await restore();
    writeFileSync(join(restored, 'b'), 'changed');
    const exclude = (path: string): boolean => path.endsWith('/b');
    await repository.restore(archive, target, { inPlace: { delete: true }, exclude, threads: 0 });
    expect(readFileSync(join(restored, 'b'), 'utf8')).toBe('changed');
  });

  it('never removes the repository, what is spared, or what is mounted', async () => {
    smallTree();
    await backUp();
    await restore();
    const inside = join(restored, 'directory', 'x', 'repository');
    mkdirSync(join(inside, '..'), { recursive: true });
    await repository.close();
    renameSync(scratch.storePath, inside);
    repository = await scratch.open({ store: await DirectoryStore.open(inside) });
    writeFileSync(join(restored, 'directory', 'key'), 'key');
    mkdirSync(join(restored, 'mounted'));
    writeFileSync(scratch.path('there'), 'x');
    mkdirSync(scratch.path('elsewhere'));
    writeFileSync(scratch.path('elsewhere', 'file'), 'x');
    execFileSync('mount', ['--bind', scratch.path('elsewhere'), join(restored, 'mounted')]);
    try {
      const spare = [join(restored, 'directory', 'key')];
      const options = { inPlace: { delete: true, spare }, threads: 0 } as const;
      for (const dryRun of [true, false]) {
        const report = await repository.restore(archive, target, { ...options, dryRun });
        expect(report.problemCounts).toEqual({ delete: 3 });
      }
      expect(existsSync(join(inside, 'config'))).toBe(true);
      expect(readFileSync(scratch.path('elsewhere', 'file'), 'utf8')).toBe('x');
      expect(existsSync(join(restored, 'directory', 'key'))).toBe(true);
    } finally {
      execFileSync('umount', [join(restored, 'mounted')]);
    }
    await repository.close();
    renameSync(inside, scratch.storePath);
    repository = await scratch.open();
  });

  it('is refused for an archive that lacks something, and with paths that become one', async () => {
    smallTree();
    ({ archive } = await repository.backup({ paths: [scratch.source, scratch.path('absent')], threads: 0 }));
    await expect(restore({ delete: true })).rejects.toMatchObject({ code: 'USAGE' });
    await backUp();
    const request = { inPlace: { delete: true }, stripComponents: 1 };
    await expect(repository.restore(archive, target, request)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(repository.restore(archive, target, { inPlace: {}, intoNonEmpty: true })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});

describe('a restore in place that does not get to its end', () => {
  it('leaves each file as it was or as it is to be, and goes on the next time', async () => {
    for (let i = 0; i < 12; i++) writeFileSync(scratch.in(`file-${i}`), pseudoRandomBytes(`new ${i}`, 40_000));
    smallTree();
    await backUp();
    mkdirSync(restored, { recursive: true });
    for (let i = 0; i < 12; i++) writeFileSync(join(restored, `file-${i}`), `old ${i}`);
    cpSync(target, scratch.path('before'), { recursive: true, preserveTimestamps: true });
    let failed = 0;
    for (let at = 1; ; at++) {
      rmSync(target, { recursive: true });
      cpSync(scratch.path('before'), target, { recursive: true, preserveTimestamps: true });
      const store = new FaultyStore(await DirectoryStore.open(scratch.storePath), [{ at, when: 'before' }]);
      let error: unknown;
      try {
        const faulty = await scratch.open({ store });
        await faulty.restore(archive, target, { inPlace: {}, threads: 0, privileged: true });
      } catch (reason) {
        error = reason;
      }
      if (error === undefined && store.operations < at) break;
      if (error !== undefined) expect(isCairnError(error, 'STORE_FAILED')).toBe(true);
      failed += 1;
      for (const name of readdirSync(restored)) {
        expect(name).not.toMatch(/^\.cairn-restore/);
        if (!name.startsWith('file-')) continue;
        const bytes = readFileSync(join(restored, name));
        const asItWas = bytes.toString('latin1') === `old ${name.slice(5)}`;
        expect(asItWas || bytes.equals(readFileSync(scratch.in(name)))).toBe(true);
      }
      expect((await restore()).problems).toEqual([]);
      expect(differences()).toEqual([]);
    }
    expect(failed).toBeGreaterThan(3);
  });

  it('has what it left unfinished removed by the next', async () => {
    smallTree();
    await backUp();
    await restore();
    writeFileSync(join(restored, '.cairn-restore-1-0-7'), 'half');
    writeFileSync(join(restored, 'directory', '.cairn-restore-1-0-8'), 'half');
    symlinkSync('/etc', join(restored, '.cairn-restore-1-0-9'));
    await restore();
    expect(readdirSync(restored).filter((name) => name.startsWith('.cairn'))).toEqual([]);
    expect(readlinkSync(join(restored, 'link'))).toBe('a');
  });
});

describe('a restore that verifies', () => {
  it('finds a file that is not what was written', async () => {
    smallTree();
    await backUp();
    let changed = false;
    const onProgress = (): void => {
      const file = join(restored, 'b');
      if (changed || !existsSync(file) || lstatSync(file).size === 0) return;
      changed = true;
      appendFileSync(file, 'and more');
    };
    const report = await repository.restore(archive, target, { verify: true, threads: 0 }, { onProgress });
    expect(changed).toBe(true);
    expect(report.problemCounts).toEqual({ verify: 1 });
    expect(report.verified).toBe(3);
  });
});

describe('a target with too little room', () => {
  it('is told before the first byte', async () => {
    writeFileSync(scratch.in('large'), pseudoRandomBytes('room', 9_000_000));
    execFileSync('truncate', ['-s', '1G', scratch.in('sparse')]);
    await backUp();
    mkdirSync(target);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', target]);
    try {
      const run = repository.restore(archive, target, { threads: 0 });
      await expect(run).rejects.toMatchObject({ code: 'TARGET_FAILED', details: { needed: 9_000_000 } });
      expect(readdirSync(target)).toEqual([]);
      await expect(repository.restore(archive, target, { threads: 0, ignoreSpace: true })).rejects.toMatchObject({
        code: 'TARGET_FAILED',
        message: expect.stringContaining('ENOSPC'),
      });
      const small = await repository.restore(archive, target, {
        inPlace: {},
        threads: 0,
        exclude: (path) => path.endsWith('/large'),
      });
      expect(small.problems).toEqual([]);
    } finally {
      execFileSync('umount', [target]);
    }
  });
});
