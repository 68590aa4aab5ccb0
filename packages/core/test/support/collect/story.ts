import type { ArchiveRecord } from '../../../dist/index.js';
import type { Actor } from './actor.js';
import type { Core } from './core-copy.js';
import { DAY_MS, isAppend, World, type Sources } from './world.js';

/** One story about clients that get in each other's way. Rejects when something is lost, or not given back. */
export interface Scenario {
  /** What happens, and the rules that it is about. */
  readonly name: string;
  run(core: Core, sources: Sources): Promise<void>;
}

export async function expectSound(world: World): Promise<void> {
  const mistakes = await world.mistakes();
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'));
}

/** Sound now, after every put arrived once more, and without garbage in the end. */
export async function expectCleanEnd(world: World): Promise<void> {
  await expectSound(world);
  const garbage = await world.garbage();
  if (garbage.length > 0) throw new Error(`garbage that stays: ${garbage.join(', ')}`);
  await expectSound(world);
}

/** Lets a client go on to its end, and looks after each of its decisions. */
export async function finishSound(world: World, actor: Actor): Promise<void> {
  while (await actor.until(isAppend)) {
    await actor.step();
    await expectSound(world);
  }
  await actor.finish();
}

export function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

export async function expectRefused(done: Promise<unknown>, what: string): Promise<void> {
  const outcome = await done.then(
    () => 'taken',
    () => 'refused',
  );
  expect(outcome === 'refused', `${what} was not refused`);
}

/** A repository with an archive of these files that is deleted, and whose grace is over, and one of others that stays. */
export async function withDeleted(
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

/** As `withDeleted`, with so many segments that they are merged, and a segment that lists packs which are swept. */
export async function withManySegments(core: Core, sources: Sources): Promise<World> {
  const world = await World.create(core, sources);
  const gone = [await world.commit('rst'), await world.commit('uvw')];
  for (const file of 'abcdefghijklmnop') await world.commit(`${file}t`);
  await world.delete(...gone);
  world.advance(8 * DAY_MS);
  return world;
}

/** What every entry made by hand says. */
export const texts = { reason: 'test' } as const;
