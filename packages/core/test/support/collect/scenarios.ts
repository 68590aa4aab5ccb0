import type { ArchiveRecord } from '../../../dist/index.js';
import type { Actor } from './actor.js';
import type { Core } from './core-copy.js';
import { contentOf, DAY_MS, isAppend, World, type Sources } from './world.js';

/** One story about clients that get in each other's way. Rejects when something is lost, or not given back. */
export interface Scenario {
  /** What happens, and the rules that it is about. */
  readonly name: string;
  run(core: Core, sources: Sources): Promise<void>;
}

async function expectSound(world: World): Promise<void> {
  const mistakes = await world.mistakes();
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'));
}

/** Sound now, after every put arrived once more, and without garbage in the end. */
async function expectCleanEnd(world: World): Promise<void> {
  await expectSound(world);
  const garbage = await world.garbage();
  if (garbage.length > 0) throw new Error(`garbage that stays: ${garbage.join(', ')}`);
  await expectSound(world);
}

/** Lets a client go on to its end, and looks after each of its decisions. */
async function finishSound(world: World, actor: Actor): Promise<void> {
  while (await actor.until(isAppend)) {
    await actor.step();
    await expectSound(world);
  }
  await actor.finish();
}

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

async function expectRefused(done: Promise<unknown>, what: string): Promise<void> {
  const outcome = await done.then(
    () => 'taken',
    () => 'refused',
  );
  expect(outcome === 'refused', `${what} was not refused`);
}

/** A repository with an archive of these files that is deleted, and whose grace is over, and one of others that stays. */
async function withDeleted(
  core: Core,
  sources: Sources,
  gone: string,
  stays: string,
  seed?: string,
): Promise<{ readonly world: World; readonly gone: ArchiveRecord; readonly kept: ArchiveRecord }> {
  const world = await World.create(core, sources, seed);
  const deleted = await world.commit(gone);
  const kept = await world.commit(stays);
  await world.delete(deleted);
  world.advance(8 * DAY_MS);
  return { world, gone: deleted, kept };
}

const texts = { reason: 'test' } as const;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'a writer that is about to commit, while a collector drops, condemns, sweeps and removes (R1, R4)',
    async run(core, sources) {
      const { world } = await withDeleted(core, sources, 'ab', 'c');
      const writer = await world.writer('ad');
      await writer.until(isAppend);
      await world.compact();
      await writer.finish();
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a writer that is about to commit, while a collector only condemns (R4 rescue)',
    async run(core, sources) {
      const { world } = await withDeleted(core, sources, 'ab', 'c');
      const writer = await world.writer('ad');
      await writer.until(isAppend);
      await world.compact({});
      await writer.finish();
      await expectSound(world);
      world.advance(8 * DAY_MS);
      await world.compact({});
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a writer whose own packs are condemned as those of nobody (R4 own uploads)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      await world.commit('c');
      const writer = await world.writer('ab');
      await writer.until(isAppend);
      world.advance(8 * DAY_MS);
      await world.compact({});
      await writer.finish();
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a writer that dies at each of its steps (R3)',
    async run(core, sources) {
      for (let steps = 0; ; steps++) {
        const { world } = await withDeleted(core, sources, 'ab', 'c');
        const writer = await world.writer('ad');
        for (let step = 0; step < steps; step++) await writer.step();
        const isOver = writer.next === undefined;
        await writer.die(steps % 2 === 0);
        await expectCleanEnd(world);
        if (isOver) return;
      }
    },
  },
  {
    name: 'a collector that dies at each of its steps (R2, R3, R9, R10)',
    async run(core, sources) {
      for (let steps = 0; ; steps++) {
        const { world } = await withDeleted(core, sources, 'abc', 'c');
        const collector = await world.collector({ graceMs: 0, maxUnused: 0 });
        for (let step = 0; step < steps; step++) await collector.step();
        const isOver = collector.next === undefined;
        await collector.die(steps % 2 === 0);
        await expectSound(world);
        if (steps % 3 === 0) await expectCleanEnd(world);
        if (isOver) return;
      }
    },
  },
  {
    name: 'a collector that loses the slot of its SWEEP to a writer that rescues (R2, R9)',
    async run(core, sources) {
      const { world } = await withDeleted(core, sources, 'ab', 'c');
      await world.compact({});
      world.advance(8 * DAY_MS);
      const collector = await world.collector({});
      expect(await collector.until(isAppend), 'the collector sweeps');
      await world.commit('ab');
      await collector.finish();
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a collector that condemns by an old mark, while a writer commits (R8 new archives)',
    async run(core, sources) {
      const { world } = await withDeleted(core, sources, 'ab', 'c');
      const collector = await world.collector({});
      expect(await collector.until(isAppend), 'the collector condemns');
      await world.commit('ab');
      await finishSound(world, collector);
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a collector whose index is older than its list of packs (R8 own header, R13)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      await world.commit('c');
      const writer = await world.writer('ab');
      // The packs are there, and no segment yet.
      await writer.until(({ call, kind }) => call === 'put' && kind === 'index');
      const collector = await world.collector({ graceMs: 0 });
      await collector.until(isAppend);
      await writer.finish();
      await collector.finish();
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a segment is lost and packs seem to be listed by none (R8 unresolved means live)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      await world.commit('ab');
      const [segment = ''] = world.names('index');
      const saved = world.objects.get(`index/${segment}`);
      await world.commit('c');
      world.objects.delete(`index/${segment}`);
      world.advance(30 * DAY_MS);
      await world.compact({}).catch(() => undefined);
      if (saved !== undefined) world.objects.set(`index/${segment}`, saved);
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a segment says that a pack holds nothing (R8 own header)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      await world.commit('ab');
      const restore = world.intruder.hollowIndex();
      world.advance(30 * DAY_MS);
      await world.compact({});
      restore();
      await expectSound(world);
    },
  },
  {
    name: 'two collectors, of which each takes the other one’s pack for the copy (R8 copies at the head)',
    async run(core, sources) {
      // Which of two copies is kept goes by the names of packs, which are random: seeds until both happened.
      for (let seed = 0; seed < 6; seed++) {
        const { world, gone } = await withDeleted(core, sources, 'ac', 'c', `copies ${seed}`);
        const repository = await world.open();
        await repository.undelete(await repository.planUndelete([gone]));
        world.intruder.copyOf(contentOf('c'), false);
        const first = await world.collector({});
        await first.until(isAppend);
        await world.delete(gone);
        world.advance(8 * DAY_MS);
        const second = await world.collector({});
        await second.until(isAppend);
        // It drops the archive; after that it condemns what it has moved.
        await second.step();
        await second.until(isAppend);
        await first.finish();
        await finishSound(world, second);
        world.advance(8 * DAY_MS);
        await world.compact({});
        await expectCleanEnd(world);
      }
    },
  },
  {
    name: 'somebody claims to hold what a pack holds (R8 verified copies)',
    async run(core, sources) {
      const { world } = await withDeleted(core, sources, 'ac', 'c');
      world.junk.add(world.intruder.copyOf(contentOf('c'), true));
      await world.compact();
      await expectSound(world);
    },
  },
  {
    name: 'two collectors at once, with every mixture of one change of turns (R8, R9, R10)',
    async run(core, sources) {
      for (let steps = 1; ; steps += 2) {
        const { world } = await withDeleted(core, sources, 'abc', 'c');
        const first = await world.collector({ graceMs: 0, maxUnused: 0 });
        for (let step = 0; step < steps; step++) await first.step();
        const isOver = first.next === undefined;
        const second = await world.collector({ graceMs: 0, maxUnused: 0 });
        await second.until(isAppend);
        await first.finish();
        await second.finish();
        await expectSound(world);
        if (isOver) return;
      }
    },
  },
  {
    name: 'nothing is swept before the grace, nor removed before it is swept (R9)',
    async run(core, sources) {
      const { world } = await withDeleted(core, sources, 'ab', 'c');
      await world.compact({});
      const packs = world.names('packs').length;
      world.advance(6 * DAY_MS);
      await world.compact({});
      expect(world.names('packs').length === packs, 'bytes went before the grace was over');
      const { condemnedPacks, sweptPacks } = (await world.open()).access.log.state;
      expect(condemnedPacks.size > 0 && sweptPacks.size === 0, 'swept before the grace was over');
      await world.commit('ab');
      await expectCleanEnd(world);
    },
  },
  {
    name: 'an archive that is deleted is read again (R7 roots)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      const gone = await world.commit('ab');
      await world.commit('c');
      world.advance(8 * DAY_MS);
      await world.delete(gone);
      await world.compact({});
      const repository = await world.open();
      await repository.undelete(await repository.planUndelete([gone]));
      await expectCleanEnd(world);
    },
  },
  {
    name: 'what was dropped is brought back, pinned, built upon, or committed again (R5, R7, R11)',
    async run(core, sources) {
      const { world, gone, kept } = await withDeleted(core, sources, 'ab', 'c');
      const until = BigInt(Date.UTC(2030, 0)) * 1_000_000n;
      await world.compact();
      const archives = [gone.id];
      const base = { segments: [], rescuedPacks: [], rescuedSegments: [] };
      const descriptor = { ...gone.descriptor, id: Buffer.alloc(16, 7) };
      await expectRefused(world.append({ kind: 'UNDELETE', archives, ...texts }), 'UNDELETE after the drop');
      await expectRefused(
        world.append({ kind: 'PIN', pin: 'ab'.repeat(16), archives, until, holder: 'test' }),
        'PIN after the drop',
      );
      await expectRefused(
        world.append({ kind: 'COMMIT', archive: '07'.repeat(16), base: gone.id, ...base, descriptor }),
        'COMMIT on a base that is dropped',
      );
      await expectRefused(
        world.append({ kind: 'COMMIT', archive: kept.id, base: null, ...base, descriptor: kept.descriptor }),
        'COMMIT of an id that was used',
      );
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a swept pack is rescued, or turns up again (R6)',
    async run(core, sources) {
      const { world } = await withDeleted(core, sources, 'ab', 'c');
      const writer = await world.writer('abd');
      await writer.until(isAppend);
      await world.compact();
      world.redeliver();
      const [swept = ''] = (await world.open()).access.log.state.sweptPacks;
      const rescue = { kind: 'RESCUE', packs: [swept], segments: [], ...texts } as const;
      await expectRefused(world.append(rescue), 'RESCUE of a swept pack');
      await writer.finish();
      // Loads an index that still lists what turned up again.
      await world.commit('abe');
      await expectCleanEnd(world);
    },
  },
  {
    name: 'segments are merged while another collector condemns the merged one (R10 cover)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      for (let i = 0; i < 17; i++) await world.commit('abcdefghijklmnopq'.slice(0, i + 1));
      world.advance(DAY_MS);
      const before = new Set(world.names('index'));
      const collector = await world.collector({});
      await collector.until(isAppend);
      await collector.step();
      await collector.until(isAppend);
      const merged = world.names('index').filter((name) => !before.has(name));
      await world.append({ kind: 'CONDEMN', dropped: [], packs: [], segments: merged, ...texts });
      await collector.finish();
      await expectSound(world);
    },
  },
  {
    name: 'segments are merged while a writer rescues a condemned pack that they list (R10 condemned packs)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      const gone = await world.commit('rs');
      for (let i = 0; i < 17; i++) await world.commit('abcdefghijklmnopq'.slice(0, i + 1));
      await world.delete(gone);
      world.advance(8 * DAY_MS);
      const writer = await world.writer('rsz');
      await writer.until(isAppend);
      await world.compact({});
      world.advance(DAY_MS);
      await world.compact({});
      await writer.finish();
      await expectSound(world);
      world.advance(8 * DAY_MS);
      await world.compact({});
      await expectSound(world);
    },
  },
  {
    name: 'an archive is pinned while a collector is about to drop it (R11)',
    async run(core, sources) {
      const { world, gone } = await withDeleted(core, sources, 'ab', 'c');
      const collector = await world.collector({});
      expect(await collector.until(isAppend), 'the collector drops');
      await (await world.open()).pin([gone], { holder: 'test' });
      await collector.finish();
      await expectSound(world);
    },
  },
  {
    name: 'the clock of a collector is ahead of that of a reader with a pin (R11 margin)',
    async run(core, sources) {
      const { world, gone } = await withDeleted(core, sources, 'ab', 'c');
      const pin = await (await world.open()).pin([gone], { holder: 'test', ttlMs: DAY_MS });
      world.advance(DAY_MS - 60_000);
      const ahead = await world.open(world.store, 120_000);
      await ahead.compact({});
      const { state } = (await world.open()).access.log;
      expect(state.archives.get(gone.id)?.state !== 'dropped', 'dropped before its pin ended');
      await pin.release();
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a reader reads while what it reads is moved, twice (R12)',
    async run(core, sources) {
      const { world, kept } = await withDeleted(core, sources, 'ac', 'c');
      const reader = await world.open();
      const view = await reader.view(kept);
      await world.compact({ graceMs: 0, maxUnused: 0 });
      const names: string[] = [];
      for await (const { path, entry } of view.walk('/')) {
        if (entry.kind !== 1) continue;
        names.push(entry.name);
        for await (const part of view.read(path)) expect(part.length > 0, 'a file is empty');
      }
      expect(names.join('') === 'c', 'the reader did not find everything');
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a put arrives again after its pack was removed, and an interrupted run left packs (R13)',
    async run(core, sources) {
      const { world } = await withDeleted(core, sources, 'ab', 'c');
      const writer = await world.writer('xy');
      await writer.until(({ call, kind }) => call === 'put' && kind === 'index');
      await writer.die(false);
      await world.compact();
      await expectCleanEnd(world);
    },
  },
];
