import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { CHUNK_TYPE, ChunkOpener } from '../dist/crypto/chunk-crypto.js';
import {
  clientFiles,
  DirectoryStore,
  fromUtf8,
  nodeSuite,
  parseKeyFileText,
  Repository,
  restrict,
  type BackupReport,
  type Capabilities,
} from '../dist/index.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { loadZstd } from '../dist/zstd/load.js';
import { BackupScratch, contentOf } from './support/scratch.js';

/** Content, a name and a symlink's target, each found nowhere else. */
const CONTENT = 'the-content-of-a-secret-file-7Q';
const NAME = 'the-name-of-a-secret-file-8R';
const TARGET = 'the-target-of-a-secret-link-9S';

let scratch: BackupScratch;
let stolen: Capabilities;
let report: BackupReport;

/** Every file below a directory. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}

/** Everything that the disk of the host holds after some nightly backups, and all of the store besides. */
function loot(): { readonly path: string; readonly bytes: Buffer }[] {
  const places = ['write.key', 'state', 'cache', 'repository'].map((name) => scratch.path(name));
  const paths = places.flatMap((place) => (statSync(place).isFile() ? [place] : filesBelow(place)));
  return paths.map((path) => ({ path, bytes: readFileSync(path) }));
}

beforeAll(async () => {
  scratch = await BackupScratch.create();
  scratch.keyFile('write');
  mkdirSync(scratch.in('directory'));
  writeFileSync(scratch.in('directory', NAME), `${CONTENT}\n`.repeat(100));
  writeFileSync(scratch.in('plain'), CONTENT);
  // Incompressible, so that compression leaves the marker as it is.
  writeFileSync(scratch.in('random'), Buffer.concat([pseudoRandomBytes('random', 4000), Buffer.from(CONTENT)]));
  symlinkSync(TARGET, scratch.in('link'));
  for (let night = 0; night < 2; night++) {
    const repository = await scratch.open({ rights: 'write', remember: true });
    report = await repository.backup({ paths: [scratch.source], threads: 1 });
  }
  stolen = parseKeyFileText(nodeSuite, readFileSync(scratch.path('write.key'), 'utf8')).capabilities;
});
afterAll(() => scratch[Symbol.dispose]());

async function pathsFound(repository: Repository): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of repository.find({ match: () => true })) paths.push(path);
  return paths;
}

async function openWithLoot(): Promise<Repository> {
  const remembered = clientFiles({ state: scratch.path('state'), cache: scratch.path('cache') });
  return await Repository.open(await DirectoryStore.open(scratch.storePath), { keys: stolen, ...remembered });
}

describe('a write key, with everything that its host holds', () => {
  it('made an archive that a read key opens', async () => {
    const reader = await Repository.open(await DirectoryStore.open(scratch.storePath), {
      keys: restrict(scratch.keys, 'read'),
    });
    const content = await contentOf(reader, report.archive, scratch.in('plain'));
    expect(content.toString()).toBe(CONTENT);
    expect(report.progress).toMatchObject({ files: 3, unchangedFiles: 3 });
  });

  it('has no secret that opens anything', () => {
    expect(Object.keys(stolen).toSorted()).toEqual(
      ['cdc', 'idData', 'idMeta', 'loc', 'log', 'pkD', 'pkM', 'psk', 'repo'].toSorted(),
    );
    const { root, skD, skM } = scratch.keys;
    for (const [name, secret] of Object.entries({ root, skD, skM })) {
      const needle = Buffer.from(secret ?? []);
      expect(needle).toHaveLength(32);
      const forms = [needle, Buffer.from(needle.toString('hex')), Buffer.from(needle.toString('base64').slice(0, 40))];
      for (const { path, bytes } of loot()) {
        for (const form of forms) expect(bytes.includes(form), `${name} in ${path}`).toBe(false);
      }
    }
  });

  it('opens no chunk, whatever it claims to be', async () => {
    const { access } = await openWithLoot();
    const index = await access.index();
    const opener = new ChunkOpener(nodeSuite, await loadZstd(), stolen);
    expect(index.packs.map((pack) => pack.kind).toSorted()).toEqual(expect.arrayContaining([1, 2]));
    let tried = 0;
    for (const pack of index.packs) {
      const object = await access.store.get({ kind: 'packs', name: pack.name });
      for (const session of pack.sessions) {
        for (const type of Object.values(CHUNK_TYPE)) {
          const id = nodeSuite.sha256(Buffer.from(`${tried}`));
          expect(() => opener.open(type, id, session, object.subarray(pack.dataStart))).toThrow(
            expect.objectContaining({ code: 'RIGHT_MISSING' }),
          );
          tried += 1;
        }
      }
    }
    expect(tried).toBeGreaterThanOrEqual(6);
  });

  it('lists no entry, reads no file and restores nothing', async () => {
    const repository = await openWithLoot();
    expect(repository.archives()).toHaveLength(2);
    const view = await repository.view(report.archive);
    const denied = { code: 'RIGHT_MISSING' };
    await expect(view.entry(fromUtf8(scratch.in('plain')))).rejects.toMatchObject(denied);
    await expect(view.entries('/').next()).rejects.toMatchObject(denied);
    await expect(view.read(fromUtf8(scratch.in('plain'))).next()).rejects.toMatchObject(denied);
    await expect(repository.restore(report.archive, scratch.path('out'))).rejects.toMatchObject(denied);
    await expect(pathsFound(repository)).rejects.toMatchObject(denied);
    expect(() => statSync(scratch.path('out'))).toThrow('ENOENT');
  });

  it('finds no content in any of the files, and no name but in the cache', () => {
    const content = loot().filter(({ bytes }) => bytes.includes(CONTENT));
    expect(content.map(({ path }) => path)).toEqual([]);
    for (const marker of [NAME, TARGET]) {
      // The host can see its own files' names anyway; what must not be is that the store tells them.
      const found = loot().filter(({ bytes }) => bytes.includes(marker));
      expect(found.map(({ path }) => path).filter((path) => !path.startsWith(scratch.path('cache')))).toEqual([]);
      expect(found.length).toBeGreaterThan(0);
    }
  });

  it('has files that only their owner can read', () => {
    for (const path of [scratch.path('state'), scratch.path('cache')].flatMap(filesBelow)) {
      expect(statSync(path).mode & 0o077, path).toBe(0);
    }
  });
});
