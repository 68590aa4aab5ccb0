import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { restrict } from './crypto/capabilities.ts';
import { nodeSuite } from './crypto/node-suite.ts';
import { clientFiles } from './host/directories.ts';
import { systemEnvironment } from './host/environment.ts';
import { encodeKeyFileText } from './keys/key-file.ts';
import { parseRecoveryKey } from './keys/recovery.ts';
import { Repository, type CreatedRepository } from './repository.ts';
import { DirectoryStore } from './stores/directory.ts';
import { MemoryStore, type MemoryObject } from './stores/memory.ts';

/** No worker threads: they run what was built, and this tests the sources. */
const threads = 0;

let scratch: string;
let source: string;
let objects: Map<string, MemoryObject>;
let made: CreatedRepository;

function memory(): MemoryStore {
  return new MemoryStore(systemEnvironment.clock, objects);
}

beforeEach(async () => {
  scratch = realpathSync(mkdtempSync(join(tmpdir(), 'cairn-facade-')));
  source = join(scratch, 'source');
  mkdirSync(join(source, 'deep'), { recursive: true });
  writeFileSync(join(source, 'note.txt'), 'note');
  writeFileSync(join(source, 'deep', 'größe'), 'x'.repeat(100_000));
  objects = new Map();
  made = await Repository.create(memory());
});

afterEach(() => {
  rmSync(scratch, { recursive: true, force: true });
});

async function names(repository: Repository, ref: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { path } of (await repository.view(ref)).walk(source)) found.push(path.slice(source.length));
  return found;
}

describe('a repository in a program', () => {
  it('backs up, shows and restores', async () => {
    const { repository } = made;
    const report = await repository.backup({ paths: [source], threads });
    expect(report.progress).toMatchObject({ files: 2, problems: 0 });
    expect(await names(repository, 'latest')).toEqual(['', '/deep', '/deep/gr\u00c3\u00b6\u00c3\u009fe', '/note.txt']);
    const restored = await repository.restore('latest', join(scratch, 'out'), { paths: [`${source}/deep`], threads });
    expect(restored).toMatchObject({ files: 1, problems: [] });
    expect(readFileSync(join(scratch, 'out', source, 'deep', 'größe'), 'utf8')).toBe('x'.repeat(100_000));
  });

  it('knows what it stored itself, in a second run and when it reads', async () => {
    const { repository } = made;
    await repository.backup({ paths: [source], threads });
    writeFileSync(join(source, 'more.txt'), 'more');
    const second = await repository.backup({ paths: [source], threads });
    expect(second.progress.newBytes).toBeLessThan(5_000);
    expect(await names(repository, 'latest')).toContain('/more.txt');
    const changes: string[] = [];
    const [first] = repository.archives();
    for await (const { path, change } of repository.diff(first?.name ?? '', 'latest', { paths: [source] })) {
      if (change === 'added') changes.push(path);
    }
    expect(changes).toEqual([`${source}/more.txt`]);
    expect((await repository.check({ data: true, threads })).errors).toBe(0);
  });

  it('leaves out what is told to be, and says why', async () => {
    const { repository } = made;
    const request = { paths: [source], select: { excludes: ['*.txt'] }, threads };
    const excluded: string[] = [];
    await repository.backup(request, {
      onExcluded: ({ path, decision }) => excluded.push(`${path}: ${decision.reason.text}`),
    });
    expect(excluded).toEqual([`${source}/note.txt: rule \`*.txt\` given as an option`]);
    expect(await names(repository, 'latest')).not.toContain('/note.txt');
    const explained = await repository.explain(request, [`${source}/note.txt`, `${source}/deep`, '/elsewhere']);
    expect(explained.map(({ taken }) => taken)).toEqual([false, true, false]);
  });

  it('refuses to back up nothing', async () => {
    await expect(made.repository.backup({ paths: [] })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('opening', () => {
  it('takes the text of a key file, or what was in it', async () => {
    const text = encodeKeyFileText(nodeSuite, made.keys, { label: '', createdNs: 0n });
    for (const keys of [text, made.keys, parseRecoveryKey(nodeSuite, made.recoveryKey)]) {
      const repository = await Repository.open(memory(), { keys });
      expect(repository).toMatchObject({
        id: made.repository.id,
        fingerprint: made.repository.fingerprint,
        rights: 'root',
      });
      await repository.close();
    }
  });

  it('refuses the key of another repository', async () => {
    const other = await Repository.create(new MemoryStore(systemEnvironment.clock));
    await expect(Repository.open(memory(), { keys: other.keys })).rejects.toMatchObject({ code: 'WRONG_KEY' });
  });

  it('tells without a key only what anybody may know', async () => {
    const claims = await Repository.inspect(memory());
    expect(Buffer.from(claims.repo).toString('hex')).toBe(made.repository.id);
    await expect(Repository.inspect(new MemoryStore(systemEnvironment.clock))).rejects.toMatchObject({
      code: 'REPOSITORY_MISSING',
    });
  });

  it('with a write key backs up, also a second time, and reads nothing', async () => {
    const keys = restrict(made.keys, 'write');
    const files = clientFiles({ state: join(scratch, 'state'), cache: join(scratch, 'cache') });
    const repository = await Repository.open(memory(), { keys, ...files });
    await repository.backup({ paths: [source], threads });
    const second = await repository.backup({ paths: [source], threads });
    expect(second.parent).toBe(repository.archives()[0]?.name);
    const restore = repository.restore('latest', join(scratch, 'out'), { threads });
    await expect(restore).rejects.toMatchObject({ code: 'RIGHT_MISSING' });
    await expect(names(repository, 'latest')).rejects.toMatchObject({ code: 'RIGHT_MISSING' });
  });

  it('notices a store that was set back, when the client remembers', async () => {
    const files = clientFiles({ state: join(scratch, 'state'), cache: join(scratch, 'cache') });
    const repository = await Repository.open(memory(), { keys: made.keys, ...files });
    const before = new Map(objects);
    await repository.backup({ paths: [source], threads });
    objects = before;
    await expect(Repository.open(memory(), { keys: made.keys, ...files })).rejects.toMatchObject({
      code: 'ROLLBACK_DETECTED',
    });
  });
});

describe('creating', () => {
  it('makes no repository when the key cannot be saved', async () => {
    objects = new Map();
    const saveKeys = async () => {
      throw new Error('no pen at hand');
    };
    await expect(Repository.create(memory(), { saveKeys })).rejects.toThrow('no pen at hand');
    expect(objects.size).toBe(0);
  });

  it('never replaces one', async () => {
    await expect(Repository.create(memory())).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
  });
});

describe('a repository in a directory', () => {
  it('is never backed up into itself', async () => {
    const { repository } = await Repository.create(await DirectoryStore.create(join(source, 'repo')));
    const excluded: string[] = [];
    const run = { onExcluded: ({ path }: { path: string }) => excluded.push(path) };
    await repository.backup({ paths: [source], threads }, run);
    expect(excluded).toEqual([`${source}/repo`]);
    expect(await names(repository, 'latest')).not.toContain('/repo');
    for (const path of [`${source}/repo`, `${source}/repo/packs`]) {
      await expect(repository.backup({ paths: [path], threads })).rejects.toMatchObject({ code: 'USAGE' });
    }
    expect((await repository.explain({ paths: [source] }, [`${source}/repo/config`]))[0]?.taken).toBe(false);
  });

  it('can be disposed of', async () => {
    const { repository } = await Repository.create(await DirectoryStore.create(join(scratch, 'repo')));
    await expect(repository[Symbol.asyncDispose]()).resolves.toBeUndefined();
  });
});
