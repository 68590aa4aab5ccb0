import { beforeEach, describe, expect, it } from 'vitest';

import { restrict, type Capabilities } from '../crypto/capabilities.ts';
import { isCairnError } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import { toHex } from '../ids.ts';
import type { Environment } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { Repository } from '../repository.ts';
import { reasonText } from '../retention/reason.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { FaultyStore, type Fault } from '../testing/faulty-store.ts';
import { SAMPLE_DESCRIPTOR } from '../testing/log-samples.ts';
import type { PrunePlan } from './prune.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-10-01T03:00:00Z');

let nowMs = START;
const environment: Environment = {
  clock: { nowNs: () => BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs },
  random: systemEnvironment.random,
};
let objects: Map<string, MemoryObject>;
let keys: Capabilities;

beforeEach(async () => {
  nowMs = START;
  objects = new Map();
  const created = await Repository.create(new MemoryStore(environment.clock, objects), { environment });
  keys = created.keys;
});

async function open(store: ObjectStore = new MemoryStore(environment.clock, objects), as = keys): Promise<Repository> {
  return await Repository.open(store, { keys: as, environment });
}

/** Commits an archive now, which started an hour ago by the clock of its host. */
async function commit(
  repository: Repository,
  series = 'web',
  complete = true,
  startMs = nowMs - 3_600_000,
): Promise<string> {
  const id = systemEnvironment.random.bytes(16);
  const name = `${series}-${repository.access.log.seq}`;
  const descriptor = { ...SAMPLE_DESCRIPTOR, id, series, name, complete, startNs: BigInt(startMs) * 1_000_000n };
  const none = { segments: [], rescuedPacks: [], rescuedSegments: [] };
  await repository.access.log.append(() => ({ kind: 'COMMIT', archive: toHex(id), base: null, ...none, descriptor }));
  return toHex(id);
}

/** An archive each night. */
async function nights(repository: Repository, count: number, series = 'web'): Promise<void> {
  for (let i = 0; i < count; i++) {
    nowMs += DAY;
    await commit(repository, series);
  }
}

const textOf = (plan: PrunePlan): string[] =>
  plan.series.flatMap(({ series, verdicts }) =>
    verdicts.map(({ reasons }, i) => `${series} ${i} ${reasons.map(reasonText).join(', ') || '-'}`),
  );

describe('a plan', () => {
  it('is made for each series by itself, and changes nothing', async () => {
    const repository = await open();
    await nights(repository, 4, 'web');
    await nights(repository, 2, 'mail');
    const before = repository.access.log.seq;
    const plan = await repository.planPrune({ policy: { daily: 2 } });
    expect(textOf(plan)).toEqual([
      'mail 0 daily 1/2',
      'mail 1 daily 2/2',
      'web 0 daily 1/2',
      'web 1 daily 2/2',
      'web 2 -',
      'web 3 -',
    ]);
    expect(plan.series.map(({ removed }) => removed)).toEqual([0, 2]);
    expect((await open()).access.log.seq).toBe(before);
  });

  it('is made for the series that are asked for', async () => {
    const repository = await open();
    await nights(repository, 3, 'web');
    await nights(repository, 3, 'mail');
    const plan = await repository.planPrune({ policy: { last: 1 }, series: ['web'] });
    expect(plan.series.map(({ series }) => series)).toEqual(['web']);
    const wrong = repository.planPrune({ policy: { last: 1 }, series: ['web', 'wbe'] });
    await expect(wrong).rejects.toMatchObject({ code: 'ARCHIVE_MISSING', message: expect.stringContaining('wbe') });
  });

  it('goes by the time at which the store received an archive, whatever its host says', async () => {
    const repository = await open();
    for (let i = 0; i < 3; i++) {
      nowMs += DAY;
      // The host claims that each is a day older than the one before.
      await commit(repository, 'web', true, START - i * DAY);
    }
    const byStore = await repository.planPrune({ policy: { daily: 1 } });
    const byHost = await repository.planPrune({ policy: { daily: 1 }, time: 'started' });
    const kept = (plan: PrunePlan): string[] =>
      plan.series.flatMap(({ verdicts }) =>
        verdicts.filter(({ reasons }) => reasons.length > 0).map(({ archive }) => archive.name),
      );
    const [first, , last] = repository.archives();
    expect(kept(byStore)).toEqual([last?.name]);
    expect(kept(byHost)).toEqual([first?.name]);
  });

  it('keeps protected and leaves out deleted archives', async () => {
    const repository = await open();
    await nights(repository, 4);
    const [first, second] = repository.archives();
    const annotate = { name: null, comment: null, tags: null } as const;
    await repository.access.log.append(() => ({
      kind: 'ANNOTATE',
      archives: [first?.id ?? ''],
      protect: true,
      ...annotate,
    }));
    await repository.access.log.append(() => ({ kind: 'DELETE', archives: [second?.id ?? ''], reason: 'test' }));
    const plan = await repository.planPrune({ policy: { last: 1 } });
    expect(textOf(plan)).toEqual(['web 0 last 1/1', 'web 1 -', 'web 2 protected']);
  });

  it('sees what others committed meanwhile', async () => {
    const early = await open();
    await nights(await open(), 3);
    expect((await early.planPrune({ policy: { last: 1 } })).series).toMatchObject([{ removed: 2 }]);
  });

  it.each([
    ['an empty policy', { policy: {} }],
    ['a share that cannot be', { policy: { last: 1 }, maxShare: 1.5 }],
    ['a time zone that is none', { policy: { last: 1 }, timeZone: 'Nowhere' }],
  ])('is refused for %s, also where there is no archive yet', async (_, options) => {
    const repository = await open();
    await expect(repository.planPrune(options)).rejects.toMatchObject({ code: 'USAGE' });
    await nights(repository, 1);
    await expect(repository.planPrune(options)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('takes a maintain key; a write key cannot make one', async () => {
    await nights(await open(), 3);
    const maintain = await open(undefined, restrict(keys, 'maintain'));
    await maintain.prune(await maintain.planPrune({ policy: { last: 1 } }));
    expect(maintain.archives()).toHaveLength(1);
    const write = await open(undefined, restrict(keys, 'write'));
    await expect(write.planPrune({ policy: { last: 1 } })).rejects.toMatchObject({ code: 'RIGHT_MISSING' });
  });
});

describe('applying a plan', () => {
  it('deletes with one entry, and says why in it', async () => {
    const repository = await open();
    await nights(repository, 5);
    const before = repository.access.log.seq;
    const report = await repository.prune(await repository.planPrune({ policy: { daily: 3, weekly: 1 } }));
    expect(report).toMatchObject({ kept: 4, removed: [{ name: 'web-1' }] });
    const again = await open();
    expect(again.access.log.seq).toBe(before + 1);
    expect(again.archives()).toHaveLength(4);
    expect(again.archives({ deleted: true })).toHaveLength(5);
    // A second one has nothing to do, and appends nothing.
    await again.prune(await again.planPrune({ policy: { daily: 3, weekly: 1 } }));
    expect(again.access.log.seq).toBe(before + 1);
  });

  it('is refused when more goes than is allowed at once', async () => {
    const repository = await open();
    await nights(repository, 12);
    const plan = await repository.planPrune({ policy: { last: 5 } });
    expect(plan.series).toMatchObject([{ removed: 7, exceeds: true }]);
    await expect(repository.prune(plan)).rejects.toMatchObject({
      code: 'SHARE_EXCEEDED',
      message: 'this would remove 7 of the 12 archives of "web", more than 50 %',
    });
    expect(repository.archives()).toHaveLength(12);
    expect((await repository.planPrune({ policy: { last: 6 } })).series).toMatchObject([
      { removed: 6, exceeds: false },
    ]);
    await repository.prune(await repository.planPrune({ policy: { last: 5 }, maxShare: 0.6 }));
    expect(repository.archives()).toHaveLength(5);
    // Few archives may go without asking.
    await repository.prune(await repository.planPrune({ policy: { last: 1 } }));
    expect(repository.archives()).toHaveLength(1);
  });

  it('is refused when nothing complete would be left, unless that is asked for', async () => {
    const repository = await open();
    await nights(repository, 2);
    nowMs += 30 * DAY;
    const policy = { within: '2w' };
    const plan = await repository.planPrune({ policy });
    await expect(repository.prune(plan)).rejects.toMatchObject({ code: 'SHARE_EXCEEDED' });
    await commit(repository, 'web', false);
    const incomplete = await repository.planPrune({ policy });
    await expect(repository.prune(incomplete)).rejects.toMatchObject({ code: 'SHARE_EXCEEDED' });
    await repository.prune(await repository.planPrune({ policy, maxShare: 1 }));
    expect(repository.archives().map(({ descriptor }) => descriptor.complete)).toEqual([false]);
  });

  it('is stale when an archive of the plan was deleted or protected since, not when one came in', async () => {
    const repository = await open();
    await nights(repository, 4);
    const [first, second, third, fourth] = repository.archives().map(({ id }) => id);
    const other = await open();
    const plan = await repository.planPrune({ policy: { last: 2 } });
    const annotate = { name: null, comment: null, tags: null } as const;
    const change = async (archive: string | undefined, kind: 'DELETE' | 'UNDELETE'): Promise<unknown> =>
      await other.access.log.append(() => ({ kind, archives: [archive ?? ''], reason: 'test' }));
    const protect = async (archive: string | undefined, on: boolean): Promise<unknown> =>
      await other.access.log.append(() => ({ kind: 'ANNOTATE', archives: [archive ?? ''], protect: on, ...annotate }));

    for (const archive of [first, fourth]) {
      await change(archive, 'DELETE');
      await expect(repository.prune(plan)).rejects.toMatchObject({ code: 'PLAN_STALE' });
      await change(archive, 'UNDELETE');
    }
    await protect(second, true);
    await expect(repository.prune(plan)).rejects.toMatchObject({ code: 'PLAN_STALE' });
    await protect(second, false);
    await protect(third, true);
    await commit(other);
    await repository.prune(plan);
    expect(
      repository
        .archives()
        .map(({ id }) => id)
        .slice(0, 2),
    ).toEqual([third, fourth]);
  });
});

describe.each(['before', 'after'] as const)('a store that fails one call (%s it was done)', (when) => {
  it('leaves the archives as they were, or as the plan says', async () => {
    await nights(await open(), 4);
    const base = new Map(objects);
    let failed = 0;
    for (let at = 1; ; at++) {
      objects.clear();
      for (const [label, object] of base) objects.set(label, object);
      const fault: Fault = { at, when };
      const store = new FaultyStore(new MemoryStore(environment.clock, objects), [fault]);
      let error: unknown;
      try {
        const repository = await open(store);
        await repository.prune(await repository.planPrune({ policy: { last: 2 } }));
      } catch (caught) {
        error = caught;
      }
      const archives = (await open()).archives().length;
      if (error === undefined) expect(archives).toBe(2);
      else {
        failed += 1;
        expect(isCairnError(error, 'STORE_FAILED')).toBe(true);
        expect([2, 4]).toContain(archives);
      }
      const again = await open();
      await again.prune(await again.planPrune({ policy: { last: 2 } }));
      expect(again.archives()).toHaveLength(2);
      if (error === undefined && store.operations < at) break;
    }
    expect(failed).toBeGreaterThan(4);
  });
});
