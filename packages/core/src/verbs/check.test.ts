import { beforeAll, describe, expect, it } from 'vitest';
import { restrict } from '../crypto/capabilities.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import { toHex } from '../ids.ts';
import { decodeSegment, encodeSegment, type PackListing } from '../index/segment.ts';
import type { LogEntry } from '../log/kinds.ts';
import type { ArchiveRecord } from '../log/state.ts';
import { decodePackHeader } from '../pack/layout.ts';
import { ArchiveBuilder, directoryNode, fileNode, type ArchiveNode } from '../testing/archive-builder.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { checkRepository, type CheckOptions, type CheckProgress, type CheckReport, type Finding } from './check.ts';

const big = (seed: string): Uint8Array[] => [0, 1, 2].map((i) => pseudoRandomBytes(`${seed} ${i}`, 3000));

const SHARED = directoryNode('shared', [fileNode('common', big('common')), fileNode('small', 'small')]);
const FIRST: readonly ArchiveNode[] = [SHARED, fileNode('first', big('first'))];
const SECOND: readonly ArchiveNode[] = [SHARED, fileNode('second', big('second')), directoryNode('empty', [])];

interface Sample {
  readonly builder: ArchiveBuilder;
  readonly objects: Map<string, MemoryObject>;
  readonly archives: readonly ArchiveRecord[];
}

async function sample(trees: readonly (readonly ArchiveNode[])[] = [FIRST, SECOND], packBytes = 4000): Promise<Sample> {
  const objects = new Map<string, MemoryObject>();
  const builder = await ArchiveBuilder.create({ objects });
  const archives: ArchiveRecord[] = [];
  for (const tree of trees) archives.push(await builder.commit(tree, { packBytes }));
  return { builder, objects, archives };
}

/** The same repository over objects of its own, to be damaged. */
function copyOf({ builder, objects, archives }: Sample): Sample & { readonly store: MemoryStore } {
  const copied = new Map(objects);
  return { builder, objects: copied, archives, store: new MemoryStore(systemEnvironment.clock, copied) };
}

async function check(
  { builder, objects }: Pick<Sample, 'builder' | 'objects'>,
  options: CheckOptions = {},
  keys = builder.keys,
): Promise<CheckReport> {
  const access = await builder.access(new MemoryStore(systemEnvironment.clock, objects), keys);
  return await checkRepository(access, { threads: 0, record: false, ...options });
}

const codes = (report: CheckReport): string[] => [...new Set(report.findings.map(({ code }) => code))].toSorted();
const pathsOf = (findings: readonly Finding[]): string[] =>
  [...new Set(findings.flatMap(({ path }) => path ?? []))].toSorted();

function labels({ objects }: Pick<Sample, 'objects'>, kind: string): string[] {
  return [...objects.keys()].filter((label) => label.startsWith(kind)).toSorted();
}

/** The packs of that kind, by the byte that says so (format page, section 4.4). */
function packs(of: Pick<Sample, 'objects'>, kind: 1 | 2): string[] {
  return labels(of, 'packs/').filter((label) => of.objects.get(label)?.body[5] === kind);
}

function damage({ objects }: Pick<Sample, 'objects'>, label: string, change: (body: Uint8Array) => Uint8Array): void {
  const object = objects.get(label);
  if (object === undefined) throw new Error(`no ${label}`);
  objects.set(label, { ...object, body: change(new Uint8Array(object.body)) });
}

const flip =
  (at: number) =>
  (body: Uint8Array): Uint8Array => {
    body[at] = (body[at] as number) ^ 0x40;
    return body;
  };

async function append({ builder }: Sample, ...entries: readonly LogEntry[]): Promise<void> {
  const access = await builder.access();
  for (const entry of entries) await access.log.append(() => entry);
}

/** Commits a tree whose chunks are all stored once more, whatever is there: by a builder that knows of nothing. */
async function storeAgain({ store, keys }: ArchiveBuilder, tree: readonly ArchiveNode[]): Promise<void> {
  const Forgetful = ArchiveBuilder as unknown as new (...of: readonly unknown[]) => ArchiveBuilder;
  await new Forgetful(store, keys).commit(tree, { packBytes: 4000 });
}

let good: Sample;
beforeAll(async () => {
  good = await sample();
});

describe('checkRepository on a sound repository', () => {
  it.each<[CheckReport['level'], CheckOptions]>([
    ['structure', {}],
    ['structure', { headers: false }],
    ['sample', { sample: { share: 0.01 } }],
    ['data', { data: true }],
    ['data', { sample: { share: 1 } }],
  ])('finds nothing: %s %j', async (level, options) => {
    const report = await check(good, options);
    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ level, errors: 0, warnings: 0, archives: 2, entries: 5 + 4 });
    const count = labels(good, 'packs/').length;
    expect(report.packs).toBe(count);
    expect(report.packsRead).toBe(level === 'data' ? count : level === 'sample' ? 1 : 0);
    expect(report.objects).toBe(good.objects.size);
    expect(report.references).toBe(3 + 1 + 3 + 3);
    expect(report.endedNs).toBeGreaterThanOrEqual(report.startedNs);
    if (level === 'data') expect(report.chunks).toBe(3 + 1 + 3 + 3 + 3);
  });

  it('reads little more than trees unless told', async () => {
    const bytes = [...good.objects.values()].reduce((sum, { body }) => sum + body.length, 0);
    expect((await check(good, { headers: false })).bytesRead).toBeLessThan(bytes / 3);
    expect((await check(good, { data: true })).bytesRead).toBeGreaterThan(bytes * 0.8);
  });

  it('reports how far it is', async () => {
    const seen: CheckProgress[] = [];
    await checkRepository(await good.builder.access(), { data: true, threads: 0 }, { onProgress: (p) => seen.push(p) });
    for (const phase of ['index', 'data', 'trees']) {
      const steps = seen.filter((step) => step.phase === phase);
      expect(steps.at(-1)?.done).toBe(steps.at(-1)?.total);
      expect(steps.at(-1)?.total).toBeGreaterThan(0);
      expect(steps.map(({ done }) => done)).toEqual(steps.map(({ done }) => done).toSorted((a, b) => a - b));
    }
  });

  it('warns when there is nothing to check', async () => {
    const empty = await sample([]);
    const report = await check(empty, { data: true });
    expect(codes(report)).toEqual(['nothing-checked']);
    expect(report.warnings).toBeGreaterThan(0);
  });

  it('says in the log that it was done, unless told not to', async () => {
    const copy = copyOf(good);
    const access = await copy.builder.access(copy.store);
    const before = access.log.seq;
    const silent = await checkRepository(access, { threads: 0, record: false });
    expect([silent.recorded, access.log.seq]).toEqual([false, before]);
    const recorded = await checkRepository(access, { threads: 0 });
    expect([recorded.recorded, access.log.seq]).toEqual([true, before + 1]);
  });

  it.each([0, -1, 1.5, NaN])('rejects a share of %d', async (share) => {
    await expect(check(good, { sample: { share } })).rejects.toSatisfy((error) => isCairnError(error, 'USAGE'));
  });

  it('stops when it is cancelled', async () => {
    const run = { signal: AbortSignal.abort() };
    const access = await good.builder.access();
    await expect(checkRepository(access, { threads: 0 }, run)).rejects.toSatisfy((error) =>
      isCairnError(error, 'CANCELLED'),
    );
  });
});

describe('checkRepository with a key of fewer rights', () => {
  it('says that a write key sees no trees', async () => {
    const report = await check(good, { data: true }, restrict(good.builder.keys, 'write'));
    expect(codes(report)).toEqual(['contents-not-opened', 'trees-not-checked']);
    expect(report).toMatchObject({ errors: 0, warnings: 0, archives: 0, chunks: 0 });
  });

  it('checks trees, but no contents, with a maintain key', async () => {
    const report = await check(good, { data: true }, restrict(good.builder.keys, 'maintain'));
    expect(codes(report)).toEqual(['contents-not-opened']);
    expect(report).toMatchObject({ errors: 0, archives: 2, chunks: 3 });
  });

  it('checks all with a read key', async () => {
    expect((await check(good, { data: true }, restrict(good.builder.keys, 'read'))).findings).toEqual([]);
  });

  it('tells with a maintain key which files a damaged pack may affect', async () => {
    const copy = copyOf(good);
    const [label] = packs(copy, 1) as [string];
    damage(copy, label, (body) => flip(body.length - 1)(flip(body.length - 2000)(body)));
    const report = await check(copy, { data: true }, restrict(copy.builder.keys, 'maintain'));
    expect(codes(report)).toEqual(['chunk-unverified', 'contents-not-opened', 'pack-damaged']);
    expect(report.findings.filter(({ code }) => code === 'chunk-unverified')[0]?.object).toBe(label);
  });
});

describe('checkRepository on packs', () => {
  it('names archives and paths that a missing pack affects', async () => {
    for (const label of packs(good, 1)) {
      const copy = copyOf(good);
      copy.objects.delete(label);
      const report = await check(copy);
      const [pack, ...files] = report.findings;
      expect(pack).toMatchObject({ severity: 'error', code: 'pack-missing', object: label });
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) {
        expect(file).toMatchObject({ severity: 'error', code: 'chunk-missing', object: label });
        expect(file.message).toMatch(/^\d+ bytes of this file are in no pack/);
      }
      const inBoth = files.filter(({ path }) => path?.startsWith('/shared') === true);
      for (const { path } of inBoth) {
        const ids = files.filter((file) => file.path === path).map(({ archiveId }) => archiveId);
        expect(ids.toSorted()).toEqual(copy.archives.map(({ id }) => id).toSorted());
      }
    }
  });

  it('names directories that a missing pack of trees affects', async () => {
    const copy = copyOf(good);
    for (const label of packs(copy, 2)) copy.objects.delete(label);
    const report = await check(copy);
    expect(codes(report)).toEqual(['pack-missing', 'tree-damaged']);
    expect(pathsOf(report.findings)).toEqual(['/']);
  });

  it('tells the size that a pack should have, and which files can still be read', async () => {
    const copy = copyOf(good);
    const [label] = packs(copy, 1) as [string];
    damage(copy, label, (body) => body.subarray(0, body.length - 1500));
    const report = await check(copy);
    expect(report.findings[0]).toMatchObject({ code: 'pack-damaged', object: label });
    expect(report.findings[0]?.message).toMatch(/it has \d+ bytes, and \d+ were stored/);
    expect(codes(report)).toEqual(['chunk-damaged', 'pack-damaged']);
  });

  it('finds a pack whose header is damaged, and reads its chunks all the same', async () => {
    const copy = copyOf(good);
    const [label] = packs(copy, 1) as [string];
    damage(copy, label, flip(110));
    for (const options of [{}, { data: true }]) {
      const report = await check(copy, options);
      expect(codes(report)).toEqual(['pack-damaged']);
    }
    expect((await check(copy, { headers: false })).errors).toBe(0);
  });

  it('finds damaged contents only when it reads them, and names the files', async () => {
    const copy = copyOf(good);
    const [label] = packs(copy, 1) as [string];
    const { body } = copy.objects.get(label) as MemoryObject;
    const { repo, loc = new Uint8Array() } = copy.builder.keys;
    const { dataStart } = decodePackHeader(nodeSuite, { repo, loc }, body, body.length, 'the pack');
    damage(copy, label, flip(dataStart + 20));
    expect((await check(copy)).errors).toBe(0);
    const report = await check(copy, { data: true });
    expect(codes(report)).toEqual(['chunk-damaged', 'pack-damaged']);
    expect(pathsOf(report.findings)).toHaveLength(1);
    expect(report.findings[0]?.message).toContain('1 of its chunks');
  });

  it('says that nothing is lost when only padding is damaged', async () => {
    const copy = copyOf(await sample([[fileNode('f', [pseudoRandomBytes('padded', 10_000)])]], 1 << 20));
    const [label] = packs(copy, 1) as [string];
    damage(copy, label, (body) => flip(body.length - 1)(body));
    const report = await check(copy, { data: true });
    expect(report.findings).toHaveLength(1);
    expect(report.findings[0]).toMatchObject({ code: 'pack-damaged', object: label });
    expect(report.findings[0]?.hint).toContain('Nothing is lost');
  });

  it('finds packs that were swapped', async () => {
    const copy = copyOf(good);
    const [a, b] = packs(copy, 1) as [string, string];
    const [one, other] = [copy.objects.get(a), copy.objects.get(b)] as [MemoryObject, MemoryObject];
    copy.objects.set(a, other).set(b, one);
    for (const options of [{}, { data: true }]) {
      const report = await check(copy, options);
      expect(codes(report)).toContain('chunk-damaged');
      expect(report.errors).toBeGreaterThan(2);
    }
  });

  it('uses another copy of a chunk where there is one', async () => {
    const twice = await sample([FIRST]);
    const before = new Set(twice.objects.keys());
    await storeAgain(twice.builder, FIRST);
    const copy = copyOf(twice);
    for (const label of before)
      if (label.startsWith('packs/')) damage(copy, label, (body) => flip(body.length >> 1)(body));
    const report = await check(copy, { data: true });
    expect(codes(report)).toEqual(['pack-damaged']);
    for (const label of before) if (label.startsWith('packs/')) copy.objects.delete(label);
    expect(codes(await check(copy))).toEqual(['pack-missing']);
  });

  it('notes packs that no segment lists', async () => {
    const copy = copyOf(good);
    const [label] = packs(copy, 1) as [string];
    const stray = Buffer.concat([copy.objects.get(label)?.body ?? new Uint8Array(), Buffer.of(1)]);
    const name = toHex(nodeSuite.sha256(stray));
    await copy.store.put({ kind: 'packs', name }, stray);
    const report = await check(copy, { data: true });
    expect(report.findings).toMatchObject([{ severity: 'info', code: 'unindexed-pack', object: `packs/${name}` }]);
  });

  it('goes on when a pack cannot be read, and stops when the store is gone', async () => {
    const failing = (code: 'STORE_FAILED' | 'STORE_UNREACHABLE'): Promise<CheckReport> => {
      const store = new FaultyStore(good.builder.store, [
        { at: 12, operation: 'get', when: 'before', error: (what) => new CairnError(code, what) },
      ]);
      return good.builder.access(store).then((access) => checkRepository(access, { data: true, threads: 0 }));
    };
    expect(codes(await failing('STORE_FAILED'))).toContain('pack-damaged');
    await expect(failing('STORE_UNREACHABLE')).rejects.toSatisfy((error) => isCairnError(error, 'STORE_UNREACHABLE'));
  });

  it('notes that the store does not let it read packs', async () => {
    const denied = new CairnError('STORE_DENIED', 'no');
    const store = new MemoryStore(systemEnvironment.clock, good.objects);
    const get = store.get.bind(store);
    store.get = (key, options) => (key.kind === 'packs' ? Promise.reject(denied) : get(key, options));
    const access = await good.builder.access(store, restrict(good.builder.keys, 'write'));
    const report = await checkRepository(access, { threads: 0 });
    expect(codes(report)).toEqual(['packs-not-read', 'trees-not-checked']);
  });
});

describe('checkRepository on the index', () => {
  it('tells of damaged and of missing segments, and that nothing is lost', async () => {
    for (const [i, label] of labels(good, 'index/').entries()) {
      const copy = copyOf(good);
      if (i === 0) damage(copy, label, flip(60));
      else copy.objects.delete(label);
      const report = await check(copy);
      expect(report.findings[0]?.code).toBe(i === 0 ? 'segment-damaged' : 'unindexed-pack');
      expect(codes(report)).toContain('pack-not-listed');
      expect(pathsOf(report.findings)).toEqual([]);
      expect(report.errors).toBeGreaterThan(0);
    }
  });

  it('tells of paths when neither index nor pack can be read', async () => {
    const copy = copyOf(good);
    for (const label of labels(good, 'index/')) copy.objects.delete(label);
    const [data] = packs(copy, 1) as [string];
    damage(copy, data, flip(110));
    const report = await check(copy);
    expect(codes(report)).toEqual(['chunk-missing', 'pack-damaged', 'pack-not-listed', 'unindexed-pack']);
    expect(pathsOf(report.findings).length).toBeGreaterThan(0);
  });

  it('tells of a segment that contradicts a pack', async () => {
    const copy = copyOf(good);
    const [label] = labels(copy, 'index/') as [string];
    const { repo, loc = new Uint8Array() } = copy.builder.keys;
    const keys = { repo, loc };
    const { packs: listed } = decodeSegment(nodeSuite, keys, copy.objects.get(label)?.body ?? new Uint8Array(), 'it');
    const listings = listed.map((pack) => {
      const { body } = copy.objects.get(`packs/${pack.name}`) as MemoryObject;
      const { records } = decodePackHeader(nodeSuite, keys, body, body.length, 'the pack');
      // One byte of a length that nothing else depends on.
      records[12] = (records[12] as number) ^ 1;
      return { ...pack, records };
    });
    const body = encodeSegment(nodeSuite, systemEnvironment.random, keys, listings);
    copy.objects.delete(label);
    const name = toHex(nodeSuite.sha256(body));
    await copy.store.put({ kind: 'index', name }, body);
    for (const options of [{}, { data: true }]) {
      const report = await check(copy, options);
      expect(report.findings).toMatchObject([{ code: 'index-differs', object: `index/${name}`, severity: 'error' }]);
    }
  });
});

describe('checkRepository on an index that lies', () => {
  /** Adds a segment that says something else of each pack that another segment lists. */
  async function withLies(change: (listing: PackListing) => PackListing): Promise<{ copy: Sample; name: string }> {
    const copy = copyOf(good);
    const [label] = labels(copy, 'index/') as [string];
    const { repo, loc = new Uint8Array() } = copy.builder.keys;
    const { packs: listed } = decodeSegment(nodeSuite, { repo, loc }, copy.objects.get(label)?.body ?? Buffer.of(), '');
    const listings = listed.map((pack) => change({ ...pack, records: Buffer.alloc(0) }));
    const body = encodeSegment(nodeSuite, systemEnvironment.random, { repo, loc }, listings);
    const name = toHex(nodeSuite.sha256(body));
    await copy.store.put({ kind: 'index', name }, body);
    return { copy, name };
  }

  it.each<[string, (listing: PackListing) => PackListing]>([
    ['says less of packs', (listing) => listing],
    ['tells a larger size', (listing) => ({ ...listing, sizeBytes: listing.sizeBytes + 1 })],
    ['tells a header that is longer', (listing) => ({ ...listing, dataStart: listing.sizeBytes })],
    ['tells a header that is shorter', (listing) => ({ ...listing, dataStart: listing.dataStart - 48 })],
  ])('names the segment that %s', async (_, change) => {
    const { copy, name } = await withLies(change);
    for (const options of [{}, { data: true }]) {
      const report = await check(copy, options);
      expect(report.findings).toMatchObject([{ code: 'index-differs', object: `index/${name}` }]);
    }
  });
});

describe('checkRepository and deletion', () => {
  const none = { packs: [], segments: [] };

  it('walks deleted archives too, and dropped ones not', async () => {
    const deleted = await sample();
    const [first] = deleted.archives as [ArchiveRecord];
    await append(deleted, { kind: 'DELETE', archives: [first.id], reason: '' });
    expect((await check(deleted)).archives).toBe(2);
    await append(deleted, { kind: 'CONDEMN', dropped: [first.id], ...none, reason: '' });
    expect((await check(deleted)).archives).toBe(1);
  });

  it('finds archives that need a condemned pack', async () => {
    for (const kind of [1, 2] as const) {
      const doomed = await sample();
      const [label] = packs(doomed, kind) as [string];
      const names = [label.slice('packs/'.length)];
      await append(doomed, { kind: 'CONDEMN', dropped: [], packs: names, segments: [], reason: '' });
      const report = await check(doomed);
      expect(codes(report)).toEqual(['chunk-condemned']);
      expect(report.findings.every(({ path }) => path !== undefined)).toBe(true);
    }
  });

  it('does not count a swept pack as present, and notes it', async () => {
    const swept = await sample();
    const names = packs(swept, 1).map((label) => label.slice('packs/'.length));
    await append(
      swept,
      { kind: 'CONDEMN', dropped: [], packs: names, segments: [], reason: '' },
      { kind: 'SWEEP', packs: names, segments: [] },
    );
    const report = await check(swept, { data: true });
    expect(codes(report)).toEqual(['chunk-missing', 'swept-object']);
    expect(report.packs).toBe(packs(swept, 2).length);
  });

  it('looks again when a pack went away because of a compaction that ran meanwhile', async () => {
    const moving = await sample([FIRST]);
    const access = await moving.builder.access();
    const old = packs(moving, 1);
    // What a compaction does between two looks: everything again in new packs, then the old ones go.
    await storeAgain(moving.builder, FIRST);
    const names = old.map((label) => label.slice('packs/'.length));
    await append(
      moving,
      { kind: 'CONDEMN', dropped: [], packs: names, segments: [], reason: '' },
      { kind: 'SWEEP', packs: names, segments: [] },
    );
    for (const label of old) moving.objects.delete(label);
    const report = await checkRepository(access, { data: true, threads: 0 });
    expect(report.findings).toEqual([]);
  });
});

describe('checkRepository on a great deal of damage', () => {
  it('tells the first five hundred paths, and how many more there are', async () => {
    const files = Array.from({ length: 700 }, (_, i) => fileNode(`f${i}`, `content ${i}`));
    const many = await sample([files, [...files, fileNode('x', 'x')]], 1 << 20);
    for (const label of packs(many, 1)) many.objects.delete(label);
    const report = await check(many);
    const told = report.findings.filter(({ code }) => code === 'chunk-missing');
    expect(told).toHaveLength(500);
    expect(report.errors).toBe(packs(many, 1).length + 500 + 2);
    expect(report.findings.at(-1)).toMatchObject({ severity: 'warning', code: 'more-findings' });
    expect(report.findings.at(-1)?.message).toContain('901 more');
  });
});
