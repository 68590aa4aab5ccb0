import { beforeEach, describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import type { LogEntry } from '../log/kinds.ts';
import { PIN } from '../limits.ts';
import { CompactScratch, DAY_MS } from '../testing/compact-scratch.ts';
import { applyCompact, planCompact } from './compact.ts';
import { applyUndelete, planUndelete } from './delete.ts';

let scratch: CompactScratch;

beforeEach(async () => {
  scratch = await CompactScratch.create();
});

async function append(entry: LogEntry): Promise<void> {
  const access = await scratch.open();
  await access.log.append(() => entry);
}

describe('an archive that was deleted', () => {
  it('is dropped after the grace, and its bytes go after another', async () => {
    const old = await scratch.commit({ a: ['old 1', 'old 2'] });
    const kept = await scratch.commit({ b: ['kept'] });
    await scratch.delete(old);
    const objects = scratch.count('packs');
    scratch.advance(6 * DAY_MS);
    expect(await scratch.compact()).toMatchObject({ dropped: [], condemned: { packs: 0 }, removed: { objects: 0 } });
    scratch.advance(2 * DAY_MS);
    const first = await scratch.compact();
    expect(first.dropped.map(({ id }) => id)).toEqual([old.id]);
    // Its data and its tree.
    expect(first).toMatchObject({ condemned: { packs: 2 }, swept: { packs: 0 }, removed: { objects: 0 } });
    expect(scratch.count('packs')).toBe(objects);
    scratch.advance(6 * DAY_MS);
    expect(await scratch.compact()).toMatchObject({ swept: { packs: 0 } });
    scratch.advance(2 * DAY_MS);
    const second = await scratch.compact();
    expect(second).toMatchObject({ swept: { packs: 2 }, removed: { objects: 2 } });
    expect(second.removed.bytes).toBe(first.condemned.bytes);
    expect(scratch.count('packs')).toBe(objects - 2);
    expect(await scratch.mistakes()).toEqual([]);
    const { state } = (await scratch.open()).log;
    expect([state.archives.get(old.id)?.state, state.archives.get(kept.id)?.state]).toEqual(['dropped', 'live']);
  });

  it('stays when it is brought back in the grace (R7)', async () => {
    const old = await scratch.commit({ a: ['old'] });
    await scratch.commit({ b: ['kept'] });
    await scratch.delete(old);
    scratch.advance(5 * DAY_MS);
    const access = await scratch.open();
    await applyUndelete(access, planUndelete(access, [old]));
    scratch.advance(5 * DAY_MS);
    await scratch.delete(old);
    scratch.advance(5 * DAY_MS);
    expect((await scratch.compact()).dropped).toEqual([]);
    expect(await scratch.mistakes()).toEqual([]);
  });

  it('stays while it is pinned or protected (R11)', async () => {
    const [pinned, guarded] = [await scratch.commit({ a: ['a'] }), await scratch.commit({ b: ['b'] })];
    await scratch.delete(pinned, guarded);
    const until = scratch.environment.clock.nowNs() + BigInt(10 * DAY_MS) * 1_000_000n;
    await append({ kind: 'PIN', pin: 'ab'.repeat(16), archives: [pinned.id], until, holder: 'test' });
    const texts = { name: null, comment: null, tags: null };
    await append({ kind: 'ANNOTATE', archives: [guarded.id], protect: true, ...texts });
    scratch.advance(8 * DAY_MS);
    expect((await scratch.compact()).dropped).toEqual([]);
    scratch.advance(2 * DAY_MS + PIN.marginMs - 1);
    expect((await scratch.compact()).dropped).toEqual([]);
    scratch.advance(2);
    expect((await scratch.compact()).dropped.map(({ id }) => id)).toEqual([pinned.id]);
    await append({ kind: 'ANNOTATE', archives: [guarded.id], protect: false, ...texts });
    expect((await scratch.compact()).dropped.map(({ id }) => id)).toEqual([guarded.id]);
  });

  it('goes at once, in one call, without a grace', async () => {
    const old = await scratch.commit({ a: ['old'], c: ['both'] });
    await scratch.commit({ b: ['kept'], c: ['both'] });
    await scratch.delete(old);
    const report = await scratch.compact({ graceMs: 0 });
    expect(report).toMatchObject({ dropped: [{ id: old.id }], repacked: { packs: 1 } });
    expect(report.removed.objects).toBe(report.swept.packs + report.swept.segments);
    expect(report.swept.packs).toBe(2);
    expect(await scratch.mistakes()).toEqual([]);
    expect(await scratch.compact({ graceMs: 0 })).toMatchObject({ condemned: { packs: 0 }, swept: { packs: 0 } });
  });
});

describe('packs of which a part is needed', () => {
  it('are written again when too much is not', async () => {
    const old = await scratch.commit({ a: ['1', '2', '3', '4'] });
    await scratch.commit({ b: ['4'] });
    await scratch.delete(old);
    scratch.advance(8 * DAY_MS);
    const plan = await planCompact(await scratch.open({ rights: 'maintain' }));
    // A tree of the old archive; its data pack keeps one piece of four.
    expect(plan).toMatchObject({ dead: { packs: 1 }, repack: { packs: 1 } });
    expect(plan.repack.freedBytes).toBe(3 * plan.repack.copiedBytes);
    expect(await scratch.compact()).toMatchObject({
      condemned: { packs: 2 },
      repacked: { packs: 1, copiedBytes: plan.repack.copiedBytes },
    });
    scratch.advance(8 * DAY_MS);
    await scratch.compact();
    expect(await scratch.mistakes()).toEqual([]);
    expect(scratch.count('packs')).toBe(2);
  });

  it('stay as they are when little is not', async () => {
    const old = await scratch.commit({ a: ['1', '2', '3', '4'] });
    await scratch.commit({ b: ['2', '3', '4'] });
    await scratch.delete(old);
    scratch.advance(8 * DAY_MS);
    expect(await scratch.compact()).toMatchObject({ repacked: { packs: 0 } });
    expect(await scratch.compact({ maxUnused: 0.2 })).toMatchObject({ repacked: { packs: 1 } });
    await scratch.reclaim();
    expect(await scratch.mistakes()).toEqual([]);
  });

  it('keep the session of each chunk when they are put together', async () => {
    const old = [];
    for (let i = 0; i < 5; i++) old.push(await scratch.commit({ a: [`gone ${i}`, `kept ${i}`] }));
    await scratch.commit({ b: [0, 1, 2, 3, 4].map((i) => `kept ${i}`) });
    await scratch.reclaim(...old);
    expect(await scratch.mistakes()).toEqual([]);
    // One of data, one of the tree.
    expect(scratch.count('packs')).toBe(2);
    const { packs } = await (await scratch.open()).index();
    expect(packs.map(({ sessions }) => sessions.length).toSorted()).toEqual([1, 5]);
  });
});

describe('packs that no archive refers to', () => {
  it('stay until they are older than the grace (R13)', async () => {
    await scratch.commit({ a: ['a'] });
    const orphan = await scratch.putUnlisted();
    scratch.advance(6 * DAY_MS);
    const plan = await planCompact(await scratch.open());
    expect(plan).toMatchObject({ unlisted: { packs: 0 }, young: { packs: 1 } });
    scratch.advance(2 * DAY_MS);
    expect(await scratch.compact()).toMatchObject({ condemned: { packs: 1 } });
    scratch.advance(8 * DAY_MS);
    await scratch.compact();
    expect(scratch.names('packs')).not.toContain(orphan);
    expect(await scratch.mistakes()).toEqual([]);
  });

  it('stay when archives need what is in them and a segment is lost (R8)', async () => {
    await scratch.commit({ a: ['a'] });
    const [segment] = scratch.names('index');
    const saved = scratch.objects.get(`index/${segment}`);
    await scratch.commit({ b: ['b'] });
    for (const key of scratch.objects.keys()) if (key === `index/${segment}`) scratch.objects.delete(key);
    scratch.advance(20 * DAY_MS);
    await expect(scratch.compact()).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
    if (saved !== undefined) scratch.objects.set(`index/${segment}`, saved);
    expect(await scratch.mistakes()).toEqual([]);
  });
});

describe('objects that are swept and in the store', () => {
  it('are removed whenever they turn up (R13)', async () => {
    const old = await scratch.commit({ a: ['a'] });
    await scratch.commit({ b: ['b'] });
    const copies = new Map(scratch.objects);
    await scratch.reclaim(old);
    const gone = [...copies.keys()].filter((key) => !scratch.objects.has(key));
    expect(gone.length).toBeGreaterThan(0);
    for (const key of gone) scratch.objects.set(key, copies.get(key) as never);
    expect((await planCompact(await scratch.open())).leftovers).toBe(gone.length);
    expect(await scratch.compact()).toMatchObject({ removed: { objects: gone.length } });
    for (const key of gone) expect(scratch.objects.has(key)).toBe(false);
    expect(await scratch.mistakes()).toEqual([]);
  });
});

describe('index segments', () => {
  it('are merged when there are many, and condemned packs stay listed (R10)', async () => {
    for (let i = 0; i < 20; i++) await scratch.commit({ a: [`${i}`] });
    scratch.advance(DAY_MS);
    const report = await scratch.compact();
    expect(report).toMatchObject({ mergedSegments: 20, condemned: { segments: 20 } });
    expect(scratch.count('index')).toBe(21);
    expect(await scratch.mistakes()).toEqual([]);
    await scratch.reclaim();
    expect(scratch.count('index')).toBe(1);
    expect(await scratch.mistakes()).toEqual([]);
  });

  it('that list nothing any more go without another in their place', async () => {
    const old = await scratch.commit({ a: ['a'] });
    await scratch.commit({ b: ['b'] });
    await scratch.reclaim(old);
    expect(scratch.count('index')).toBe(2);
    await scratch.reclaim();
    expect(scratch.count('index')).toBe(1);
  });
});

describe('a plan', () => {
  it('takes account of archives that were committed since (R8)', async () => {
    const old = await scratch.commit({ a: ['1', '2', '3'] });
    await scratch.commit({ b: ['3'] });
    await scratch.delete(old);
    const access = await scratch.open({ rights: 'maintain' });
    const plan = await planCompact(access, { graceMs: 0 });
    expect(plan).toMatchObject({ drop: [{ id: old.id }], repack: { packs: 1 } });
    await scratch.commit({ c: ['1'] });
    await applyCompact(access, plan);
    expect(await scratch.mistakes()).toEqual([]);
  });

  it('does not drop what was brought back since (R7)', async () => {
    const old = await scratch.commit({ a: ['1'] });
    await scratch.delete(old);
    const access = await scratch.open({ rights: 'maintain' });
    const plan = await planCompact(access, { graceMs: 0 });
    const other = await scratch.open();
    await applyUndelete(other, planUndelete(other, [old]));
    expect((await applyCompact(access, plan)).dropped).toEqual([]);
    expect(await scratch.mistakes()).toEqual([]);
  });

  it('is carried out once, and by whom it was made for', async () => {
    await scratch.commit({ a: ['1'] });
    const access = await scratch.open();
    const plan = await planCompact(access);
    await expect(applyCompact(await scratch.open(), plan)).rejects.toMatchObject({ code: 'PLAN_STALE' });
    await applyCompact(access, plan);
    await expect(applyCompact(access, plan)).rejects.toMatchObject({ code: 'PLAN_STALE' });
  });

  it('writes nothing', async () => {
    const old = await scratch.commit({ a: ['1', '2'] });
    await scratch.delete(old);
    const before = new Map(scratch.objects);
    await planCompact(await scratch.open(), { graceMs: 0 });
    expect(scratch.objects).toEqual(before);
  });

  it('is refused for a key that opens no trees, and for options that cannot be', async () => {
    await expect(planCompact(await scratch.open({ rights: 'write' }))).rejects.toMatchObject({ code: 'RIGHT_MISSING' });
    const access = await scratch.open();
    for (const options of [{ graceMs: -1 }, { graceMs: 0.5 }, { maxUnused: 1 }, { maxUnused: Number.NaN }]) {
      await expect(planCompact(access, options)).rejects.toMatchObject({ code: 'USAGE' });
    }
  });
});

describe('a run that was cancelled', () => {
  it('leaves everything sound, and the next one goes on', async () => {
    const old = await scratch.commit({ a: ['1', '2', '3', '4'] });
    await scratch.commit({ b: ['4'] });
    await scratch.delete(old);
    for (const phase of ['mark', 'judge', 'repack', 'remove'] as const) {
      const abort = new AbortController();
      const run = {
        signal: abort.signal,
        onProgress: ({ phase: now }: { phase: string }) => void (now === phase && abort.abort()),
      };
      const access = await scratch.open({ rights: 'maintain' });
      const done = planCompact(access, { graceMs: 0 }, run).then((plan) => applyCompact(access, plan, run));
      await done.catch((error: unknown) => expect(isCairnError(error, 'CANCELLED')).toBe(true));
      expect(await scratch.mistakes()).toEqual([]);
    }
    await scratch.compact({ graceMs: 0 });
    expect(scratch.count('packs')).toBe(2);
  });
});

describe('copies of chunks', () => {
  it('of an earlier run that was interrupted are used', async () => {
    const old = await scratch.commit({ a: ['1', '2', '3', '4'] });
    await scratch.commit({ b: ['4'] });
    await scratch.delete(old);
    const before = new Map(scratch.objects);
    await scratch.compact({ graceMs: 0 });
    // The copies and the segment that lists them were put; of what was decided nothing is there.
    for (const key of scratch.objects.keys())
      if (key.startsWith('log/') && !before.has(key)) scratch.objects.delete(key);
    for (const [key, object] of before) scratch.objects.set(key, object);
    const report = await scratch.compact({ graceMs: 0 });
    expect(report.repacked).toEqual({ packs: 1, copiedBytes: 0 });
    expect(await scratch.mistakes()).toEqual([]);
    expect(scratch.count('packs')).toBe(2);
  });

  it('that somebody made badly never replace good ones (R8)', async () => {
    const old = await scratch.commit({ a: ['1', '2'] });
    await scratch.commit({ b: ['2'] });
    // A pack that says of itself what a repacked one would, with other bytes.
    await scratch.putJunkTwin('2');
    await scratch.reclaim(old);
    // Bad copies may be moved like good ones, but none stands in for another.
    expect((await scratch.mistakes()).filter((mistake) => !mistake.startsWith('pack-damaged'))).toEqual([]);
  });
});

describe('packs that are condemned and that archives need', () => {
  it('are rescued, however that came', async () => {
    await scratch.commit({ a: ['1'] });
    await append({ kind: 'CONDEMN', dropped: [], packs: scratch.names('packs'), segments: [], reason: 'hostile' });
    scratch.advance(8 * DAY_MS);
    const report = await scratch.compact();
    expect(report.rescued.toSorted()).toEqual(scratch.names('packs').toSorted());
    expect(report).toMatchObject({ swept: { packs: 0 } });
    expect(await scratch.mistakes()).toEqual([]);
  });
});
