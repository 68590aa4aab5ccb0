import {
  expect,
  expectCleanEnd,
  expectSound,
  finishSound,
  texts,
  withDeleted,
  withManySegments,
  type Scenario,
} from './story.js';
import { contentOf, DAY_MS, isAppend, World } from './world.js';

/** Collectors, alone and two at once. */
export const COLLECTOR_STORIES: readonly Scenario[] = [
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
    name: 'a collector that dies between a merged segment and its CONDEMN leaves nothing listed twice (R10 twice)',
    async run(core, sources) {
      const base = await withManySegments(core, sources);
      for (let steps = 0; ; steps += 2) {
        const world = base.fork();
        const collector = await world.collector({});
        await collector.until(({ call, kind }) => call === 'put' && kind === 'index');
        for (let step = 0; step < steps; step++) await collector.step();
        const isOver = collector.next === undefined;
        await collector.die(steps % 4 === 0);
        await expectSound(world);
        await expectCleanEnd(world);
        if (isOver) return;
      }
    },
  },
  {
    name: 'two collectors give up what each other’s merged segment lists (R10 twice)',
    async run(core, sources) {
      const base = await withManySegments(core, sources);
      for (let steps = 0; ; steps += 4) {
        const world = base.fork();
        const first = await world.collector({});
        await first.until(({ call, kind }) => call === 'put' && kind === 'index');
        for (let step = 0; step < steps; step++) await first.step();
        const isOver = first.next === undefined;
        world.advance(8 * DAY_MS);
        const second = await world.collector({});
        await second.until(isAppend);
        await finishSound(world, first);
        await finishSound(world, second);
        await expectCleanEnd(world);
        if (isOver) return;
      }
    },
  },
  {
    name: 'somebody lists other chunks, as many, so that segments seem to be there twice (R10 compared)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      await world.commit('ab');
      await world.commit('c');
      const restore = world.intruder.misleadingIndex();
      world.advance(30 * DAY_MS);
      await world.compact({ graceMs: 0 });
      restore();
      await expectSound(world);
    },
  },
  {
    name: 'a segment that a repair gave up is removed (R10 given up)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      await world.commit('ab');
      const [segment = ''] = world.names('index');
      await world.commit('c');
      const damaged = world.objects.get(`index/${segment}`);
      if (damaged !== undefined) {
        world.objects.set(`index/${segment}`, { ...damaged, body: damaged.body.subarray(0, 60) });
      }
      const repository = await world.open();
      await repository.repair(await repository.planRepair({ threads: 0 }));
      world.advance(8 * DAY_MS);
      await world.compact({});
      expect(world.names('index').includes(segment), 'it went without a grace');
      world.advance(8 * DAY_MS);
      await world.compact({});
      expect(!world.names('index').includes(segment), 'it stays for ever');
      await expectCleanEnd(world);
    },
  },
  {
    name: 'a repair lists packs again that somebody condemned while their segment was lost (R8 repair)',
    async run(core, sources) {
      const world = await World.create(core, sources);
      await world.commit('ab');
      const segments = world.names('index');
      for (const name of segments) world.objects.delete(`index/${name}`);
      await world.append({ kind: 'CONDEMN', dropped: [], packs: world.names('packs'), segments, ...texts });
      const repository = await world.open();
      await repository.repair(await repository.planRepair({ threads: 0 }));
      world.advance(8 * DAY_MS);
      await world.compact({});
      await expectCleanEnd(world);
    },
  },
];
