import {
  expect,
  expectCleanEnd,
  expectRefused,
  expectSound,
  texts,
  withDeleted,
  withManySegments,
  type Scenario,
} from './story.js';
import { DAY_MS, isAppend, World } from './world.js';

/** What people and readers decide meanwhile. */
export const DECISION_STORIES: readonly Scenario[] = [
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
    name: 'an archive that nobody can read is committed while a collector is about to drop and condemn (R7 unread)',
    async run(core, sources) {
      const { world, gone } = await withDeleted(core, sources, 'ab', 'c');
      world.underServer();
      const collector = await world.collector({});
      expect(await collector.until(isAppend), 'the collector drops');
      world.intruder.commitUnreadable();
      await expectRefused(collector.finish(), 'what an unreadable archive may need');
      expect(core.isCairnError(collector.error, 'CORRUPT'), `stopped by ${String(collector.error)}`);
      const { archives, condemnedPacks } = (await world.open()).access.log.state;
      expect(archives.get(gone.id)?.state === 'deleted' && condemnedPacks.size === 0, 'something was condemned');
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
    name: 'a check looks around while a collector moves, merges and removes (R12 check)',
    async run(core, sources) {
      const base = await withManySegments(core, sources);
      for (let steps = 0; ; steps += 3) {
        const world = base.fork();
        const findings: string[] = [];
        const checker = await world.checker(findings);
        for (let step = 0; step < steps; step++) await checker.step();
        const isOver = checker.next === undefined;
        await world.compact({ graceMs: 0, maxUnused: 0 });
        await checker.finish();
        expect(findings.length === 0, `after ${steps} steps: ${findings.join(', ')}`);
        if (isOver) return expectCleanEnd(world);
      }
    },
  },
];
