import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemEnvironment } from '../host/environment.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { listAll } from '../testing/object-store-scratch.ts';
import { testObjectStore } from '../testing/object-store-suite.ts';
import { DirectoryStore } from './directory.ts';

const { random } = systemEnvironment;
let base: string;
let counter = 0;

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'cairn-directory-store-'));
});
afterAll(() => rmSync(base, { recursive: true, force: true }));

const freshPath = () => join(base, String((counter += 1)));
const bodyOf = (bytes: number) => random.bytes(bytes);

function packKey(body: Uint8Array) {
  return { kind: 'packs', name: createHash('sha256').update(body).digest('hex') } as const;
}

/** Written out here once more: the layout is a part of the format. */
function fileOf(root: string, { kind, name }: ObjectKey): string {
  return join(
    root,
    kind === 'packs' ? `packs/${name.slice(0, 2)}/${name}` : kind === 'config' ? name : `${kind}/${name}`,
  );
}

async function freshStore() {
  const root = freshPath();
  return { root, store: await DirectoryStore.create(root, random) };
}

async function storeWithPack(bytes = 1_000) {
  const { root, store } = await freshStore();
  const body = bodyOf(bytes);
  const key = packKey(body);
  await store.put(key, body);
  return { root, store, body, key, file: fileOf(root, key) };
}

describe('DirectoryStore', () => {
  testObjectStore(it, () => DirectoryStore.create(freshPath(), random), {
    environment: systemEnvironment,
    throwaway: true,
  });
});

describe('the layout of a DirectoryStore', () => {
  it('is the one of the format, for its owner only, and no temporary file stays', async () => {
    const { root, store } = await freshStore();
    expect(readdirSync(root).toSorted()).toEqual(['index', 'keys', 'log', 'packs', 'tmp']);
    const body = bodyOf(10);
    const { name } = packKey(body);
    const keys: readonly ObjectKey[] = [
      { kind: 'config', name: 'config' },
      { kind: 'keys', name: name.slice(32) },
      { kind: 'packs', name },
      { kind: 'index', name },
      { kind: 'log', name: '0000000000000001' },
    ];
    for (const key of keys) {
      await store.put(key, body);
      const info = lstatSync(fileOf(root, key));
      expect(info.mode & 0o7777).toBe(0o600);
      expect(info.nlink).toBe(1);
      expect(readFileSync(fileOf(root, key))).toEqual(Buffer.from(body));
    }
    for (const folder of ['.', 'packs', `packs/${name.slice(0, 2)}`, 'tmp', 'log']) {
      expect(lstatSync(join(root, folder)).mode & 0o7777).toBe(0o700);
    }
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  });

  it('gives the time of the file as the time received', async () => {
    const { store, file } = await storeWithPack();
    utimesSync(file, 0, 1_700_000_000.5);
    expect(await listAll(store, 'packs')).toMatchObject([{ receivedMs: 1_700_000_000_500 }]);
  });

  it('lets two stores over one directory race, and one win', async () => {
    const { root, store } = await freshStore();
    const other = await DirectoryStore.open(root, random);
    for (let seq = 1; seq <= 20; seq += 1) {
      const key = { kind: 'log', name: seq.toString(16).padStart(16, '0') } as const;
      const bodies = [bodyOf(100), bodyOf(100)] as const;
      const results = await Promise.allSettled([store.put(key, bodies[0]), other.put(key, bodies[1])]);
      const winner = results[0].status === 'fulfilled' ? 0 : 1;
      expect(results[1 - winner]).toMatchObject({ status: 'rejected', reason: { code: 'OBJECT_EXISTS' } });
      expect(await store.get(key)).toEqual(bodies[winner]);
    }
  });
});

describe('DirectoryStore.create', () => {
  const create = (path: string) => DirectoryStore.create(path, random);

  it('takes an empty directory, one that a cut short create left, and the top of a new file system', async () => {
    const root = freshPath();
    for (const folder of ['', 'keys', 'packs', 'tmp', 'lost+found']) mkdirSync(join(root, folder));
    writeFileSync(join(root, 'tmp', 'left over'), '');
    const store = await create(root);
    await store.put({ kind: 'config', name: 'config' }, bodyOf(1));
  });

  it('refuses where a repository is', async () => {
    const { root, store } = await freshStore();
    await store.put({ kind: 'config', name: 'config' }, bodyOf(1));
    await expect(create(root)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' });
    expect((await listAll(store, 'config')).length).toBe(1);
  });

  it('refuses where anything else is, and leaves it as it was', async () => {
    const { root } = await storeWithPack();
    await expect(create(root)).rejects.toMatchObject({ code: 'USAGE', hint: expect.stringContaining('config') });
    const foreign = freshPath();
    mkdirSync(foreign);
    writeFileSync(join(foreign, 'letter.txt'), 'x');
    await expect(create(foreign)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('letter') });
    expect(readdirSync(foreign)).toEqual(['letter.txt']);
    await expect(create(join(foreign, 'letter.txt'))).rejects.toMatchObject({ code: 'USAGE' });
    await expect(create(join(foreign, 'letter.txt', 'x'))).rejects.toMatchObject({ code: 'USAGE' });
    const file = freshPath();
    mkdirSync(file);
    writeFileSync(join(file, 'log'), 'a file, not a folder');
    await expect(create(file)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('does not make the folder above', async () => {
    const root = freshPath();
    await expect(create(join(root, 'repository'))).rejects.toMatchObject({ code: 'USAGE' });
    expect(readdirSync(base)).not.toContain(String(counter));
  });
});

describe('DirectoryStore.open', () => {
  const open = (path: string) => DirectoryStore.open(path, random);

  it('finds what was put before, also by a link to the directory', async () => {
    const { root, key, body } = await storeWithPack();
    const alias = freshPath();
    symlinkSync(root, alias);
    const store = await open(alias);
    expect(await store.get(key)).toEqual(body);
    expect(store.description).toBe(root);
  });

  it('rejects where no repository is', async () => {
    const empty = freshPath();
    mkdirSync(empty);
    const file = freshPath();
    writeFileSync(file, '');
    for (const path of [empty, file, freshPath(), join(file, 'x')]) {
      await expect(open(path)).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' });
    }
  });

  it('names a folder that is absent, and makes the one for temporary files', async () => {
    const { root, body } = await storeWithPack();
    rmSync(join(root, 'tmp'), { recursive: true });
    const index = { ...packKey(body), kind: 'index' } as const;
    await (await open(root)).put(index, body);
    rmSync(join(root, 'keys'), { recursive: true });
    await expect(open(root)).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('keys') });
    symlinkSync('/etc', join(root, 'keys'));
    await expect(open(root)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('removes temporary files of more than a day ago, and no others', async () => {
    const { root, store } = await freshStore();
    const [old, young] = ['a'.repeat(32), 'b'.repeat(32)];
    const hour = 3_600;
    const now = Date.now() / 1_000;
    for (const [name, age] of [
      [old, 25 * hour],
      [young, 23 * hour],
      ['README', 99 * hour],
    ] as const) {
      writeFileSync(join(root, 'tmp', name), 'x');
      utimesSync(join(root, 'tmp', name), now, now - age);
    }
    await open(root);
    expect(readdirSync(join(root, 'tmp')).toSorted()).toEqual(['README', young]);
    expect(await store.removeStaleTemps(24 * hour * 1_000)).toBe(0);
    expect(await store.removeStaleTemps(22 * hour * 1_000)).toBe(1);
    expect(readdirSync(join(root, 'tmp'))).toEqual(['README']);
  });
});

describe('a DirectoryStore that somebody else changed', () => {
  it('does not list what is no object', async () => {
    const { root, store, key, file } = await storeWithPack();
    const fanOut = dirname(file);
    const otherPrefix = key.name.startsWith('00') ? 'ff' : '00';
    mkdirSync(join(root, 'packs', 'a'));
    mkdirSync(join(root, 'packs', otherPrefix), { recursive: true });
    symlinkSync(fanOut, join(root, 'packs', key.name.startsWith('ee') ? 'dd' : 'ee'));
    writeFileSync(join(root, 'packs', otherPrefix === '00' ? '0f' : 'f0'), 'a file in place of a folder');
    for (const foreign of [
      join(root, 'packs', otherPrefix, key.name),
      join(root, 'packs', key.name),
      join(root, 'log', key.name),
      join(fanOut, `${key.name}.tmp`),
      join(fanOut, `.nfs${'0'.repeat(60)}`),
      join(fanOut, key.name.toUpperCase().replace(/^\d+$/, 'A')),
    ]) {
      writeFileSync(foreign, 'foreign');
    }
    mkdirSync(join(fanOut, `${key.name.slice(0, 2)}${'0'.repeat(62)}`));
    symlinkSync(file, join(fanOut, `${key.name.slice(0, 2)}${'1'.repeat(62)}`));
    expect((await listAll(store, 'packs')).map((info) => info.name)).toEqual([key.name]);
    expect(await listAll(store, 'log')).toEqual([]);
  });

  it('refuses a link, a folder and a pipe at the place of an object', async () => {
    const { root, store } = await freshStore();
    const secret = join(root, 'secret');
    writeFileSync(secret, 'something outside of the store');
    const plant: Record<string, (path: string) => void> = {
      '1': (path) => symlinkSync(secret, path),
      '2': (path) => symlinkSync('/nowhere', path),
      '3': (path) => mkdirSync(path),
      '4': (path) => execFileSync('mkfifo', [path]),
    };
    for (const [digit, make] of Object.entries(plant)) {
      const key = { kind: 'keys', name: digit.repeat(32) } as const;
      make(fileOf(root, key));
      await expect(store.get(key)).rejects.toMatchObject({ code: 'CORRUPT' });
      await expect(store.put(key, bodyOf(10))).rejects.toMatchObject({ code: 'CORRUPT' });
    }
    expect(await listAll(store, 'keys')).toEqual([]);
    expect(readFileSync(secret, 'utf8')).toBe('something outside of the store');
    await store.delete({ kind: 'keys', name: '1'.repeat(32) });
    expect(readFileSync(secret, 'utf8')).toBe('something outside of the store');
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  });

  it('says how short a truncated object is', async () => {
    const { store, key, file, body } = await storeWithPack(1_000);
    truncateSync(file, 600);
    await expect(store.get(key, { range: { offset: 500, length: 500 } })).rejects.toMatchObject({
      code: 'OBJECT_MISSING',
      message: expect.stringContaining('600'),
    });
    expect(await store.get(key, { range: { offset: 0, length: 600 } })).toEqual(body.subarray(0, 600));
  });

  it('does not read an object larger than any may be', async () => {
    const { store, key, file } = await storeWithPack();
    truncateSync(file, 4_000_000_000_000);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    truncateSync(file, LIMITS.packBytes + 1);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('tells a store that is gone from an object that is absent', async () => {
    const { root, store, key, body } = await storeWithPack();
    renameSync(root, `${root}.gone`);
    mkdirSync(root);
    const failed = { code: 'STORE_FAILED' };
    const kinds: readonly ObjectKind[] = ['config', 'keys', 'packs', 'index', 'log'];
    for (const kind of kinds) {
      const name = { config: 'config', keys: key.name.slice(32), log: key.name.slice(48) }[String(kind)] ?? key.name;
      await expect(store.get({ kind, name })).rejects.toMatchObject(failed);
      await expect(store.put({ kind, name }, body)).rejects.toMatchObject(failed);
      await expect(store.delete({ kind, name })).rejects.toMatchObject(failed);
      await expect(listAll(store, kind)).rejects.toMatchObject(failed);
    }
  });

  it('notices when one folder is gone, also on deleting what is absent', async () => {
    const { root, store } = await freshStore();
    const key = { kind: 'keys', name: '5'.repeat(32) } as const;
    await store.delete(key);
    rmSync(join(root, 'keys'), { recursive: true });
    await expect(store.delete(key)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await expect(listAll(store, 'keys')).rejects.toMatchObject({
      message: expect.stringContaining(join(root, 'keys')),
    });
    expect(await listAll(store, 'index')).toEqual([]);
  });
});
