import type { ArchiveRecord, CompactOptions } from '../../../dist/index.js';
import { pseudoRandomBytes } from '../../../dist/testing/pseudo-random.js';
import type { Actor, Operation } from './actor.js';
import type { Core } from './core-copy.js';
import { withManySegments } from './story.js';
import { DAY_MS, World, type Sources } from './world.js';

/** Steps of a walk. */
const STEPS = 60;

/**
 * Runs a collector up to each of its steps, then a writer up to each of its steps, then the collector to its end and the
 * writer to its end. What went wrong, with how to do it again.
 * @param most how many of these mixtures are tried, evenly spread; all when there are fewer.
 */
export async function exploreSwitches(
  core: Core,
  sources: Sources,
  options: CompactOptions,
  most: number,
): Promise<string[]> {
  const alone = await prepared(core, sources);
  const collectorSteps = await countSteps(await alone.collector(options));
  const writerSteps = await countSteps(await alone.writer('abd'));
  const all = (collectorSteps + 1) * (writerSteps + 1);
  const found: string[] = [];
  for (let at = 0; at < all; at += Math.max(1, all / most)) {
    const [before, between] = [Math.floor(at / (writerSteps + 1)), Math.floor(at) % (writerSteps + 1)];
    const world = await prepared(core, sources);
    const collector = await world.collector(options);
    await advance(collector, before);
    const writer = await world.writer('abd');
    await advance(writer, between);
    await collector.finish();
    await writer.finish();
    const mistakes = await world.mistakes();
    found.push(...mistakes.map((mistake) => `${before}, ${between}: ${mistake}`));
  }
  return found;
}

/**
 * Runs a collector up to each of its steps, then a check up to each of its steps, then the collector to its end and the check
 * to its end. What the check found wrong, with how to do it again.
 * @param most as for `exploreSwitches`.
 */
export async function exploreChecks(core: Core, sources: Sources, most: number): Promise<string[]> {
  const options = { graceMs: 0, maxUnused: 0 };
  const base = await withManySegments(core, sources);
  const collectorSteps = await countSteps(await base.fork().collector(options));
  const alone = await base.fork().checker([]);
  let checkSteps = 0;
  for (; alone.next !== undefined; checkSteps++) await alone.step();
  const all = (collectorSteps + 1) * (checkSteps + 1);
  const found: string[] = [];
  for (let at = 0; at < all; at += Math.max(1, all / most)) {
    const [before, between] = [Math.floor(at / (checkSteps + 1)), Math.floor(at) % (checkSteps + 1)];
    const world = base.fork();
    const collector = await world.collector(options);
    await advance(collector, before);
    const findings: string[] = [];
    const checker = await world.checker(findings);
    for (let step = 0; step < between; step++) await checker.step();
    await collector.finish();
    await checker.finish();
    found.push(...findings.map((finding) => `${before}, ${between}: ${finding}`));
  }
  return found;
}

/** Steps that others may notice, or by which a client notices others; reading the next slot of the log is done with them. */
const isStep = ({ call }: Operation): boolean => call !== 'get';

async function countSteps(actor: Actor): Promise<number> {
  let steps = 0;
  for (; await actor.until(isStep); steps++) await actor.step();
  await actor.finish();
  return steps;
}

async function advance(actor: Actor, steps: number): Promise<void> {
  for (let step = 0; step < steps && (await actor.until(isStep)); step++) await actor.step();
  await actor.until(isStep);
}

/** A repository with something to drop, to move and to sweep. */
async function prepared(core: Core, sources: Sources): Promise<World> {
  const world = await World.create(core, sources);
  const first = await world.commit('ef');
  const gone = await world.commit('abc');
  await world.commit('c');
  await world.delete(first);
  world.advance(8 * DAY_MS);
  await world.compact({});
  await world.delete(gone);
  world.advance(8 * DAY_MS);
  return world;
}

/** Numbers that are the same for the same walk. */
class Dice {
  private readonly seed: string;
  private rolls = 0;

  constructor(seed: string) {
    this.seed = seed;
  }

  /** From 0 to below `count`. */
  roll(count: number): number {
    this.rolls += 1;
    return Buffer.from(pseudoRandomBytes(`${this.seed} ${this.rolls}`, 4)).readUInt32LE() % count;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.roll(from.length)] as T;
  }
}

const FILES = ['a', 'ab', 'bc', 'abc', 'cd', 'd'];

/** One walk: clients come, take steps in turn, die; archives are deleted, pinned and brought back; time passes. */
export async function randomWalk(core: Core, sources: Sources, walk: number): Promise<string[]> {
  const dice = new Dice(`walk ${walk}`);
  const world = await World.create(core, sources, `walk ${walk}`);
  await world.commit('abc');
  let actors: Actor[] = [];
  for (let step = 0; step < STEPS; step++) {
    actors = actors.filter(({ next }) => next !== undefined);
    const running = actors.length > 0 ? dice.pick(actors) : undefined;
    const what = dice.roll(24);
    if (what < 3 && actors.length < 4) actors.push(await world.writer(dice.pick(FILES)));
    else if (what < 6 && actors.length < 4) actors.push(await world.collector(collectorOptions(dice)));
    else if (what === 6) world.advance(dice.pick([1, 4, 8]) * DAY_MS);
    else if (what === 7) world.redeliver();
    else if (what === 8) await running?.die(dice.roll(2) === 0);
    else if (what < 11) await decide(world, dice);
    else for (let count = dice.roll(8); count >= 0 && running?.next !== undefined; count--) await running.step();
  }
  const mistakes: string[] = [];
  for (const actor of actors) {
    await actor.finish().catch((error: unknown) => {
      // A writer whose packs are swept each time gives up; nothing else may go wrong.
      if (!core.isCairnError(error, 'PLAN_STALE')) mistakes.push(`${actor.name}: ${String(error)}`);
    });
  }
  mistakes.push(...(await world.mistakes()));
  if (mistakes.length > 0) return mistakes;
  const garbage = await world.garbage();
  return [...garbage.map((left) => `garbage that stays: ${left}`), ...(await world.mistakes())];
}

function collectorOptions(dice: Dice): CompactOptions {
  return { graceMs: dice.pick([0, 7]) * DAY_MS, maxUnused: dice.pick([0, 0.25]) };
}

/** Deletes an archive, brings one back, or pins one for a while. */
async function decide(world: World, dice: Dice): Promise<void> {
  const repository = await world.open();
  const archives = [...repository.access.log.state.archives.values()];
  const deleted = archives.filter(({ state }) => state === 'deleted');
  const live = archives.filter(({ state }) => state === 'live');
  const what = dice.roll(4);
  const some = (from: readonly ArchiveRecord[]): readonly ArchiveRecord[] =>
    from.length === 0 ? [] : [dice.pick(from)];
  if (what < 2 && live.length > 1) await world.delete(...some(live));
  else if (what === 2 && deleted.length > 0) await repository.undelete(await repository.planUndelete(some(deleted)));
  else if (live.length > 0) await repository.pin(some([...live, ...deleted]), { holder: 'walk', ttlMs: 2 * DAY_MS });
}
