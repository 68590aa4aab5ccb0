import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { restrict } from '../crypto/capabilities.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import type { MemoryObject } from '../stores/memory.ts';
import { ArchiveBuilder, directoryNode, fileNode, type ArchiveNode } from '../testing/archive-builder.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { contentRecords, type ContentReference } from '../tree/content.ts';
import { readDirectory } from '../tree/directory-reader.ts';
import { decodeEntry, ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';
import { applyDelete, planDelete } from './delete.ts';
import { repositoryStats } from './stats.ts';

/** Incompressible, so that what is stored is about what was given. */
const bytes = (seed: string, length = 1000): Uint8Array => pseudoRandomBytes(seed, length);

/** Every chunk that an archive refers to, found by reading all of it: slow and plain. */
async function chunksOf(access: RepositoryAccess, archive: ArchiveRecord): Promise<Map<string, number>> {
  const reader = await access.chunkReader();
  const found = new Map<string, number>();
  const content = async ({ level, records }: ContentReference): Promise<void> => {
    for (const { id, length } of contentRecords(records)) {
      if (level === 0) found.set(toHex(id), length);
      else {
        const list = await reader.chunk(CHUNK_TYPE.list, id);
        found.set(toHex(id), list.length);
        await content({ level: level - 1, records: Buffer.from(list), length });
      }
    }
  };
  const entry = async (one: TreeEntry): Promise<void> => {
    if (one.content === null) return;
    await content(one.content);
    if (one.kind !== ENTRY_KIND.directory) return;
    for await (const child of readDirectory(reader, one.content)) await entry(child);
  };
  await entry(decodeEntry(archive.descriptor.root, true));
  return found;
}

async function storedOf(
  access: RepositoryAccess,
  ids: Iterable<string>,
): Promise<{ chunks: number; storedBytes: number }> {
  const index = await access.index();
  let [chunks, storedBytes] = [0, 0];
  for (const id of ids) {
    chunks += 1;
    storedBytes += index.find(Buffer.from(id, 'hex'))?.storedLength ?? 0;
  }
  return { chunks, storedBytes };
}

/** What is in the first set and in none of the others. */
function onlyIn(first: ReadonlyMap<string, number>, others: readonly ReadonlyMap<string, number>[]): string[] {
  return [...first.keys()].filter((id) => others.every((other) => !other.has(id)));
}

/** Archives over a few directories, each at some version: small, wide (several chunks), and with a file of chunk lists. */
function nodes([small, wide, large, deep]: readonly number[]): ArchiveNode[] {
  const pieces = Array.from({ length: 90 }, (_, i) => bytes(`large ${i === 40 ? large : 0} ${i}`, 200));
  return [
    directoryNode('small', [fileNode('file', [bytes(`small ${small}`)]), fileNode('same', [bytes('same')])]),
    directoryNode(
      'wide',
      Array.from({ length: 120 }, (_, i) => fileNode(`file ${i}`, i === 7 ? `wide ${wide}` : `wide`)),
    ),
    fileNode('large', pieces),
    directoryNode('deep', [
      directoryNode('one', [directoryNode('two', [fileNode('file', [bytes(`deep ${deep}`)])])]),
      // The same directory as above, in another place.
      directoryNode('small', [fileNode('file', [bytes(`small ${small}`)]), fileNode('same', [bytes('same')])]),
    ]),
  ];
}

const version = fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(2));

describe('stats', () => {
  it('says what deleting each archive would free, and all that is needed, as reading everything does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(version, { minLength: 1, maxLength: 5 }), fc.nat(2), async (versions, gone) => {
        const builder = await ArchiveBuilder.create();
        const archives: ArchiveRecord[] = [];
        for (const one of versions) archives.push(await builder.commit(nodes(one)));
        const access = await builder.access();
        const deleted = archives.slice(0, Math.min(gone, archives.length - 1));
        if (deleted.length > 0) await applyDelete(access, planDelete(access, deleted));
        const live = archives.slice(deleted.length);
        const chunks = new Map<string, Map<string, number>>();
        for (const archive of archives) chunks.set(archive.id, await chunksOf(access, archive));
        const of = ({ id }: ArchiveRecord): Map<string, number> => chunks.get(id) as Map<string, number>;

        const report = await repositoryStats(access);
        const all = new Map([...chunks.values()].flatMap((found) => [...found]));
        expect(report.needed).toEqual(await storedOf(access, all.keys()));
        expect(report.uniqueBytes).toBe([...all.values()].reduce((sum, length) => sum + length, 0));
        expect(report.missingChunks).toBe(0);
        const onlyDeleted = [...all.keys()].filter((id) => live.every((archive) => !of(archive).has(id)));
        expect(report.deletedBytes).toBe((await storedOf(access, onlyDeleted)).storedBytes);
        expect([report.liveArchives, report.deletedArchives]).toEqual([live.length, deleted.length]);
        for (const usage of report.archives ?? []) {
          const others = live.filter(({ id }) => id !== usage.archive.id).map(of);
          const { chunks: count, storedBytes } = usage;
          expect({ chunks: count, storedBytes }).toEqual(await storedOf(access, onlyIn(of(usage.archive), others)));
        }
        expect(report.archives?.map(({ archive }) => archive.id)).toEqual(live.map(({ id }) => id));

        const together = live.slice(0, 2);
        const rest = live.slice(2).map(of);
        const union = new Map(together.flatMap((archive) => [...of(archive)]));
        const asked = await repositoryStats(access, { ifDeleted: together });
        expect(asked.ifDeleted).toEqual(await storedOf(access, onlyIn(union, rest)));
        expect(asked.archives).toBeUndefined();
      }),
      { numRuns: 12 },
    );
  });

  it('tells what nobody needs: what was dropped, and second copies', async () => {
    const builder = await ArchiveBuilder.create();
    const first = await builder.commit([fileNode('a', [bytes('a', 5000)])]);
    await builder.commit([fileNode('b', [bytes('b', 3000)])]);
    // Another writer who did not know what is there.
    await builder.secondWriter().commit([fileNode('b', [bytes('b', 3000)])]);
    const access = await builder.access();
    const before = await repositoryStats(access);
    // The file and its directory, twice.
    expect(before.unneeded.chunks).toBe(2);
    expect(before.unneeded.storedBytes).toBeGreaterThan(3000);
    expect(before.archives?.map(({ chunks }) => chunks)).toEqual([2, 0, 0]);
    await applyDelete(access, planDelete(access, [first]));
    await access.log.append(() => ({ kind: 'CONDEMN', dropped: [first.id], packs: [], segments: [], reason: '' }));
    const after = await repositoryStats(access);
    expect(after.unneeded.chunks).toBe(4);
    expect(after.unneeded.storedBytes).toBeGreaterThan(before.unneeded.storedBytes + 5000);
    // What the series grew by then is still true.
    expect(after.growth).toEqual(before.growth);
  });

  it('counts objects by what they are', async () => {
    const objects = new Map<string, MemoryObject>();
    const builder = await ArchiveBuilder.create({ objects });
    await builder.commit([fileNode('a', [bytes('a')])]);
    await builder.commit([fileNode('b', [bytes('b')])]);
    const sizeOf = (kind: string): number =>
      [...objects].reduce((sum, [name, { body }]) => sum + (name.startsWith(`${kind}/`) ? body.length : 0), 0);
    const access = await builder.access();
    const report = await repositoryStats(access);
    expect(report.packs).toEqual({ count: 4, bytes: sizeOf('packs') });
    expect(report.index).toEqual({ count: 2, bytes: sizeOf('index') });
    expect(report.log).toEqual({ count: 2, bytes: sizeOf('log') });
    expect([report.unlistedPacks.count, report.swept.count]).toEqual([0, 0]);
    const name = '5'.repeat(64);
    const given = '6'.repeat(64);
    await builder.store.put({ kind: 'packs', name }, Buffer.alloc(77));
    await builder.store.put({ kind: 'packs', name: given }, Buffer.alloc(55));
    await access.log.append(() => ({ kind: 'CONDEMN', dropped: [], packs: [given], segments: [], reason: '' }));
    await access.log.append(() => ({ kind: 'SWEEP', packs: [given], segments: [] }));
    const later = await repositoryStats(access);
    expect([later.unlistedPacks, later.swept]).toEqual([
      { count: 1, bytes: 77 },
      { count: 1, bytes: 55 },
    ]);
    expect(later.packs).toEqual(report.packs);
  });

  it('groups what was added by series and month', async () => {
    const builder = await ArchiveBuilder.create();
    await builder.commit([fileNode('a', 'a')]);
    const {
      descriptor,
      id: _,
      ...record
    } = [...(await builder.access()).log.state.archives.values()][0] as ArchiveRecord;
    const access = await builder.access();
    const { archives } = access.log.state;
    archives.clear();
    const add = (id: string, series: string, receivedMs: number, storedBytes: number, content: number): void => {
      const stats = { ...descriptor.stats, storedBytes, bytes: content };
      archives.set(id, { ...record, id, receivedMs, state: 'dropped', descriptor: { ...descriptor, series, stats } });
    };
    add('1', 'web', Date.UTC(2026, 9, 31, 23, 59), 10, 100);
    add('2', 'mail', Date.UTC(2026, 10, 1), 7, 70);
    add('3', 'web', Date.UTC(2026, 10, 1), 20, 110);
    add('4', 'web', Date.UTC(2026, 10, 30, 23, 59), 5, 120);
    expect((await repositoryStats(access)).growth).toEqual([
      {
        series: 'web',
        months: [
          { month: '2026-10', archives: 1, addedBytes: 10, contentBytes: 100 },
          { month: '2026-11', archives: 2, addedBytes: 25, contentBytes: 120 },
        ],
      },
      { series: 'mail', months: [{ month: '2026-11', archives: 1, addedBytes: 7, contentBytes: 70 }] },
    ]);
  });

  it('takes a maintain key, which opens no file, and no write key', async () => {
    const builder = await ArchiveBuilder.create();
    await builder.commit(nodes([0, 0, 0, 0]));
    const root = await repositoryStats(await builder.access());
    const maintain = await builder.access(builder.store, restrict(builder.keys, 'maintain'));
    expect(await repositoryStats(maintain)).toEqual(root);
    const write = await builder.access(builder.store, restrict(builder.keys, 'write'));
    await expect(repositoryStats(write)).rejects.toThrow(
      expect.toSatisfy((error) => isCairnError(error, 'RIGHT_MISSING')),
    );
  });

  it('of an empty repository is nothing, and of an archive that is not live a mistake', async () => {
    const builder = await ArchiveBuilder.create();
    const report = await repositoryStats(await builder.access());
    expect(report).toMatchObject({ liveArchives: 0, needed: { chunks: 0 }, archives: [], growth: [] });
    const archive = await builder.commit([fileNode('a', 'a')]);
    const access = await builder.access();
    await applyDelete(access, planDelete(access, [archive]));
    await expect(repositoryStats(access, { ifDeleted: [archive] })).rejects.toThrow(/is not a live archive/);
  });

  it('tells of chunks that no pack has, and rejects when a tree cannot be read', async () => {
    const objects = new Map<string, MemoryObject>();
    const builder = await ArchiveBuilder.create({ objects });
    await builder.commit([fileNode('a', [bytes('a')])]);
    const segments = [...objects.keys()].filter((name) => name.startsWith('index/'));
    await builder.commit([fileNode('b', [bytes('b')])]);
    const report = await repositoryStats(await builder.access());
    expect(report.missingChunks).toBe(0);
    for (const name of segments) objects.delete(name);
    await expect(repositoryStats(await builder.access())).rejects.toThrow(
      expect.toSatisfy((error) => isCairnError(error, 'OBJECT_MISSING')),
    );
  });

  it('on a store that fails one call says so, whichever it is', async () => {
    const builder = await ArchiveBuilder.create();
    await builder.commit(nodes([0, 0, 0, 0]));
    const good = await repositoryStats(await builder.access());
    for (const when of ['before', 'after'] as const) {
      for (let at = 1; ; at++) {
        const store = new FaultyStore(builder.store, [{ at, when }]);
        const outcome = await builder
          .access(store)
          .then((access) => repositoryStats(access))
          .catch((error: unknown) => (isCairnError(error) ? error.code : String(error)));
        if (outcome === 'STORE_FAILED') continue;
        // The answer that a slot of the log is free has nothing after it to lose.
        expect(outcome).toEqual(good);
        if (store.operations < at) break;
      }
    }
  });

  it('stops when it is told to', async () => {
    const builder = await ArchiveBuilder.create();
    await builder.commit([fileNode('a', 'a')]);
    const signal = AbortSignal.abort();
    await expect(repositoryStats(await builder.access(), {}, { signal })).rejects.toThrow(
      expect.toSatisfy((error) => isCairnError(error, 'CANCELLED')),
    );
  });
});
