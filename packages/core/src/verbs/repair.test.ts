import { beforeAll, describe, expect, it } from 'vitest';

import { restrict, type Capabilities } from '../crypto/capabilities.ts';
import { CairnError, isCairnError } from '../errors.ts';
import type { LogEntry } from '../log/kinds.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { MemoryObject } from '../stores/memory.ts';
import { MuseumPiece } from '../testing/museum.ts';
import {
  bytesOf,
  check,
  codes,
  copyOf,
  damage,
  flip,
  labels,
  open,
  packs,
  repair,
  type Sample,
  soundSample,
  storeOf,
} from '../testing/repair-scratch.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import { checkRepository, type CheckReport } from './check.ts';
import { applyCompact, planCompact } from './compact.ts';
import { applyRepair, planRepair, type RepairPlan } from './repair.ts';

let good: Sample;
beforeAll(async () => {
  good = await soundSample();
});

/** A store that does some calls in another way. */
function delegate(store: ObjectStore, calls: Partial<ObjectStore>): ObjectStore {
  return {
    description: store.description,
    put: (...of) => store.put(...of),
    get: (...of) => store.get(...of),
    list: (...of) => store.list(...of),
    delete: (...of) => store.delete(...of),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    ...calls,
  };
}

async function readFile(of: Sample, archive: number, path: string): Promise<Buffer> {
  const access = await open(of);
  const view = new ArchiveView(await access.chunkReader(), of.archives[archive] as ArchiveRecord);
  const parts: Uint8Array[] = [];
  for await (const part of view.read(path)) parts.push(part);
  return Buffer.concat(parts);
}

async function expectAllReadable(of: Sample): Promise<void> {
  for (const archive of [0, 1]) {
    for (const path of ['shared/common', 'first', ...(archive === 1 ? ['second'] : [])]) {
      const name = path.split('/').at(-1) ?? '';
      expect((await readFile(of, archive, path)).equals(Buffer.concat(bytesOf(name)))).toBe(true);
    }
  }
}

describe('a repair', () => {
  it('does nothing to a sound repository', async () => {
    const copy = copyOf(good);
    for (const data of [false, true]) {
      const { plan, report } = await repair(copy, { data });
      expect(plan).toMatchObject({ empty: true, relist: [], lostSegments: [], absent: [], damaged: [], notes: [] });
      expect(report.newSegments).toEqual([]);
    }
    expect(copy.objects.size).toBe(good.objects.size);
  });

  it.each([
    ['missing', (of: Sample, label: string) => of.objects.delete(label)],
    ['damaged', (of: Sample, label: string) => damage(of, label, flip(100))],
    ['cut off', (of: Sample, label: string) => damage(of, label, (body) => body.subarray(0, 50))],
    ['empty', (of: Sample, label: string) => damage(of, label, () => new Uint8Array())],
  ])('makes the index again when all of it is %s', async (how, hurt) => {
    const copy = copyOf(good);
    for (const label of labels(copy, 'index/')) hurt(copy, label);
    if (how === 'missing') await expect(readFile(copy, 1, 'second')).rejects.toSatisfy((error) => isCairnError(error));
    else await expect((await open(copy)).index()).rejects.toSatisfy((error) => isCairnError(error, 'CORRUPT'));
    // What lists packs needs no more than any key has.
    const { plan } = await repair(copy, {}, restrict(copy.builder.keys, 'write'));
    expect(plan.relist.map((name) => `packs/${name}`).toSorted()).toEqual(labels(copy, 'packs/'));
    expect(plan.lostSegments).toHaveLength(2);
    await expectAllReadable(copy);
    const after = await check(copy);
    expect([after.errors, after.warnings]).toEqual([0, 0]);
    expect(codes(after)).toEqual(how === 'missing' ? [] : ['damage-noted']);
    expect((await repair(copy)).plan.empty).toBe(true);
  });

  it('gives up a segment that contradicts the packs, and lists anew what only that listed', async () => {
    const copy = copyOf(good);
    const [first = '', second = ''] = packs(copy);
    // The bytes of one pack under the name of another: its header is authentic, and not what the index says.
    copy.objects.set(first, copy.objects.get(second) as MemoryObject);
    const { plan } = await repair(copy);
    expect(plan.lostSegments.length).toBeGreaterThan(0);
    expect(plan.relist.length).toBeGreaterThan(0);
    const after = await check(copy);
    expect(codes(after)).not.toContain('segment-damaged');
    expect(codes(after)).not.toContain('pack-not-listed');
  });

  it('saves the good chunks of a damaged pack without touching it, and notes the rest', async () => {
    const copy = copyOf(good);
    const [label = ''] = packs(copy);
    damage(copy, label, flip(-3050));
    const { plan, report } = await repair(copy, { data: true }, restrict(copy.builder.keys, 'read'));
    expect(plan.damaged).toMatchObject([{ salvaged: 1, damaged: 1, unopened: 0, headerLost: false }]);
    expect([report.salvagedChunks, report.newPacks.length, report.newSegments.length]).toEqual([1, 1, 1]);
    const { state } = (await open(copy)).log;
    expect([...state.damage.packs]).toEqual([[label.slice('packs/'.length), 'all']]);
    // One chunk is lost, of a file in one or both archives; all the rest can be read.
    const after = await check(copy);
    expect(codes(after)).toEqual(['chunk-damaged', 'damage-noted']);
    // Even without the damaged pack nothing more is lost.
    copy.objects.delete(label);
    expect((await check(copy)).affected.paths).toBe(after.affected.paths);
    expect((await repair(copy, { data: true })).plan.damaged).toEqual([]);
  });

  it('acts on what a check noted, without reading everything again', async () => {
    const copy = copyOf(good);
    damage(copy, packs(copy)[0] ?? '', flip(-3050));
    expect((await repair(copy)).plan.empty).toBe(true);
    await checkRepository(await open(copy), { threads: 0, data: true });
    expect((await repair(copy)).plan.damaged).toMatchObject([{ salvaged: 1, damaged: 1 }]);
  });

  it('saves what is left of a pack that was cut off', async () => {
    const copy = copyOf(good);
    const [label = ''] = packs(copy);
    damage(copy, label, (body) => body.subarray(0, body.length - 1000));
    const { plan } = await repair(copy);
    expect(plan.damaged).toMatchObject([{ headerLost: false, unopened: 0 }]);
    const [{ salvaged = 0, damaged = 0 } = {}] = plan.damaged;
    expect(salvaged + damaged).toBe(2);
  });

  it('saves chunk by chunk what a disk with a bad sector gives', async () => {
    const copy = copyOf(good);
    const [label = ''] = packs(copy);
    const name = label.slice('packs/'.length);
    const store = storeOf(copy);
    const bad = delegate(store, {
      async get(key, options) {
        const { offset = 0, length = Infinity } = options?.range ?? {};
        const size = copy.objects.get(label)?.body.length ?? 0;
        if (key.name === name && offset + length > size - 100) throw new CairnError('STORE_FAILED', 'EIO');
        return await store.get(key, options);
      },
    });
    const access = await copy.builder.access(bad);
    const plan = await planRepair(access, { threads: 0, data: true });
    expect(plan.damaged).toEqual([]);
    // A check does not know whether a store that fails today fails for ever, and notes nothing: this one is told.
    await access.log.append(() => noteOf(name));
    const again = await planRepair(access, { threads: 0 });
    expect(again.damaged).toMatchObject([{ salvaged: 1, damaged: 1, headerLost: false }]);
    expect((await applyRepair(access, again)).salvagedChunks).toBe(1);
  });

  it('saves the chunks of a pack whose header is lost by what index and trees say of them', async () => {
    const copy = copyOf(good);
    const [label = '', gone = ''] = packs(copy);
    damage(copy, label, flip(60));
    copy.objects.delete(gone);
    const { plan, report } = await repair(copy);
    expect(plan.damaged).toMatchObject([{ headerLost: true, salvaged: 2, damaged: 0, unopened: 0 }]);
    expect([report.salvagedChunks, report.newPacks.length]).toEqual([2, 1]);
    expect(plan.absent).toEqual([gone.slice('packs/'.length)]);
    const { state } = (await open(copy)).log;
    expect([...state.damage.packs.values()]).toEqual(['all', 'all']);
    const after = await check(copy);
    expect(codes(after)).toEqual(['chunk-missing', 'damage-noted']);
    // Of the pack itself nothing is needed any more.
    copy.objects.delete(label);
    expect((await check(copy)).affected).toEqual(after.affected);
    expect((await repair(copy)).plan.empty).toBe(true);
  });

  it.each([
    ['most of it', (body: Uint8Array) => body.fill(0, 0, 140)],
    ['its session table', flip(60)],
    ['the number of its chunks', flip(44)],
  ])('saves all of every pack when the header is damaged: %s', async (_, hurt) => {
    const copy = copyOf(good);
    const all = labels(copy, 'packs/');
    for (const label of all) damage(copy, label, hurt);
    const { plan } = await repair(copy, {}, restrict(copy.builder.keys, 'read'));
    expect(plan.damaged.map(({ headerLost, damaged }) => [headerLost, damaged])).toEqual(all.map(() => [true, 0]));
    for (const label of all) copy.objects.delete(label);
    await expectAllReadable(copy);
  });

  it('counts what is damaged besides the header, and what a key cannot open', async () => {
    const copy = copyOf(good);
    const [label = ''] = packs(copy);
    damage(copy, label, flip(60));
    damage(copy, label, flip(-3050));
    const { keys } = copy.builder;
    const planOf = async (of: Capabilities): Promise<RepairPlan> => planRepair(await open(copy, of), { threads: 0 });
    const headerLost = true;
    expect((await planOf(restrict(keys, 'maintain'))).damaged).toMatchObject([
      { headerLost, salvaged: 0, unopened: 2 },
    ]);
    expect((await planOf(restrict(keys, 'write'))).damaged).toMatchObject([{ headerLost, salvaged: 0, unopened: 0 }]);
    const { plan } = await repair(copy);
    expect(plan.damaged).toMatchObject([{ headerLost, salvaged: 1, damaged: 1, unopened: 0 }]);
  });

  it('saves what is in a condemned pack, which may go then', async () => {
    const copy = copyOf(good);
    const [label = ''] = packs(copy);
    const name = label.slice('packs/'.length);
    damage(copy, label, flip(-3050));
    const collector = await open(copy);
    await collector.log.append(() => ({ kind: 'CONDEMN', dropped: [], packs: [name], segments: [], reason: '' }));
    const { plan } = await repair(copy, { data: true });
    expect(plan.damaged).toMatchObject([{ salvaged: 1, damaged: 1 }]);
    const { affected } = await check(copy);
    await collector.log.append(() => ({ kind: 'SWEEP', packs: [name], segments: [] }));
    copy.objects.delete(label);
    const after = await check(copy);
    expect([codes(after), after.affected]).toEqual([['chunk-missing'], affected]);
    expect((await repair(copy, { data: true })).plan).toMatchObject({ damaged: [], absent: [], empty: true });
  });

  it('lists packs anew although they are condemned, and leaves it to collectors to bring them back', async () => {
    const copy = copyOf(good);
    const all = labels(copy, 'packs/').map((label) => label.slice('packs/'.length));
    for (const label of labels(copy, 'index/')) copy.objects.delete(label);
    const access = await open(copy);
    await access.log.append(() => ({ kind: 'CONDEMN', dropped: [], packs: all, segments: [], reason: '' }));
    const { plan } = await repair(copy);
    expect(plan.relist.toSorted()).toEqual(all);
    await expectAllReadable(copy);
    expect(codes(await check(copy))).toEqual(['chunk-condemned']);
    await applyCompact(access, await planCompact(access));
    const after = await check(copy);
    expect([after.errors, after.warnings]).toEqual([0, 0]);
  });

  it('leaves alone what a key cannot open, and says so', async () => {
    const copy = copyOf(good);
    const [label = ''] = packs(copy);
    damage(copy, label, flip(-3050));
    const { plan } = await repair(copy, { data: true }, restrict(copy.builder.keys, 'maintain'));
    expect(plan.damaged).toMatchObject([{ salvaged: 0, damaged: 0, unopened: 2 }]);
    // One who can open them finds what is to be found.
    const reader = await repair(copy, {}, restrict(copy.builder.keys, 'read'));
    expect(reader.plan.damaged).toMatchObject([{ salvaged: 1, damaged: 1, unopened: 0 }]);
  });

  it('takes a note back when the pack is sound again', async () => {
    const copy = copyOf(good);
    const name = (packs(copy)[0] ?? '').slice('packs/'.length);
    await (await open(copy)).log.append(() => noteOf(name));
    const { plan } = await repair(copy);
    expect(plan).toMatchObject({ sound: [name], damaged: [] });
    expect((await open(copy)).log.state.damage.packs.size).toBe(0);
    expect((await check(copy)).findings).toEqual([]);
  });

  it('has nothing to say about swept packs', async () => {
    const copy = copyOf(good);
    const [label = ''] = packs(copy);
    const name = label.slice('packs/'.length);
    const access = await open(copy);
    await access.log.append(() => ({ kind: 'CONDEMN', dropped: [], packs: [name], segments: [], reason: '' }));
    await access.log.append(() => ({ kind: 'SWEEP', packs: [name], segments: [] }));
    copy.objects.delete(label);
    expect((await repair(copy)).plan).toMatchObject({ empty: true, absent: [] });
  });
});

function noteOf(pack: string): LogEntry {
  const counts = { objects: 0, bytes: 0, findings: 1, startedNs: 0n, endedNs: 0n };
  return { kind: 'CHECK', level: 'test', ...counts, damage: [{ pack, places: null }], lostSegments: [] };
}

describe('a repair beside others', () => {
  it('does not count on what a collector removed before it was done', async () => {
    const copy = copyOf(good);
    damage(copy, packs(copy)[0] ?? '', flip(-3050));
    const access = await open(copy);
    const plan = await planRepair(access, { threads: 0, data: true });
    const collector = await open(copy);
    const before = new Set(labels(copy, 'packs/'));
    const store = storeOf(copy);
    let swept = false;
    const hooked = delegate(store, {
      async put(key, body) {
        await store.put(key, body);
        if (key.kind !== 'index' || swept) return;
        swept = true;
        const fresh = labels(copy, 'packs/').filter((label) => !before.has(label));
        const names = fresh.map((label) => label.slice('packs/'.length));
        await collector.log.append(() => ({ kind: 'CONDEMN', dropped: [], packs: names, segments: [], reason: '' }));
        await collector.log.append(() => ({ kind: 'SWEEP', packs: names, segments: [] }));
        for (const label of fresh) copy.objects.delete(label);
      },
    });
    Object.assign(access, { store: hooked });
    await expect(applyRepair(access, plan)).rejects.toSatisfy((error) => isCairnError(error, 'PLAN_STALE'));
    const next = await repair(copy, { data: true });
    expect(next.plan.damaged).toMatchObject([{ salvaged: 1, damaged: 1 }]);
    expect(codes(await check(copy))).toEqual(['chunk-damaged', 'damage-noted']);
  });

  it('rescues what a collector condemned before it was listed', async () => {
    const copy = copyOf(good);
    damage(copy, packs(copy)[0] ?? '', flip(-3050));
    const access = await open(copy);
    const plan = await planRepair(access, { threads: 0, data: true });
    const collector = await open(copy);
    const store = storeOf(copy);
    const hooked = delegate(store, {
      async put(key, body) {
        await store.put(key, body);
        const { kind, name } = key;
        if (kind !== 'packs') return;
        await collector.log.append(() => ({ kind: 'CONDEMN', dropped: [], packs: [name], segments: [], reason: '' }));
      },
    });
    Object.assign(access, { store: hooked });
    await applyRepair(access, plan);
    expect((await open(copy)).log.state.condemnedPacks.size).toBe(0);
  });
});

describe('a repair of the museum', () => {
  async function repaired(name: string): Promise<{ readonly plan: RepairPlan; readonly after: CheckReport }> {
    const piece = new MuseumPiece(name);
    const access = await piece.open();
    const plan = await planRepair(access, { threads: 0, data: true });
    await applyRepair(access, plan);
    const after = await checkRepository(await piece.open(), { threads: 0, data: true, record: false });
    const again = await planRepair(await piece.open(), { threads: 0, data: true });
    expect(again.empty).toBe(true);
    return { plan, after };
  }

  it('finds the packs of a missing segment', async () => {
    const { plan, after } = await repaired('broken-missing-segment');
    expect(plan.relist).toHaveLength(2);
    expect(after).toMatchObject({ errors: 0, warnings: 0 });
  });

  it('notes a missing pack', async () => {
    const { plan, after } = await repaired('broken-missing-pack');
    expect(plan.absent).toHaveLength(1);
    expect(codes(after)).toEqual(['chunk-missing', 'damage-noted']);
    expect(after.affected).toEqual({ archives: 1, paths: 1 });
  });

  it.each([
    ['broken-flipped-byte-in-pack', ['chunk-damaged', 'damage-noted']],
    ['broken-flipped-byte-in-tree', ['damage-noted', 'tree-damaged']],
  ])('saves all but one chunk of %s', async (name, wanted) => {
    const { plan, after } = await repaired(name);
    expect(plan.damaged).toMatchObject([{ damaged: 1, unopened: 0 }]);
    expect(plan.damaged[0]?.salvaged).toBeGreaterThan(0);
    expect(codes(after)).toEqual(wanted);
    expect(after.affected).toEqual({ archives: 1, paths: 1 });
  });

  it.each(['good-small', 'good-history', 'good-chunk-lists'])('leaves %s as it is', async (name) => {
    const piece = new MuseumPiece(name);
    const { size } = piece.objects;
    const access = await piece.open();
    await applyRepair(access, await planRepair(access, { threads: 0, data: true }));
    if (name !== 'good-history') expect(piece.objects.size).toBe(size);
  });

  it.each([
    'broken-altered-config',
    'broken-exchanged-log-entries',
    'broken-missing-log-entry',
    'broken-truncated-log',
  ])('is refused for %s, whose history is not whole', async (name) => {
    await expect(new MuseumPiece(name).open()).rejects.toSatisfy((error) => isCairnError(error));
  });
});
