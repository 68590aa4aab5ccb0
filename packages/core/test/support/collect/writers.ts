import { expectCleanEnd, expectRefused, expectSound, texts, withDeleted, type Scenario } from './story.js';
import { DAY_MS, isAppend, World } from './world.js';

/** Writers, and what they rely on. */
export const WRITER_STORIES: readonly Scenario[] = [
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
