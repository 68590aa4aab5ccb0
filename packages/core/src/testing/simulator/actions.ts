import { restrict, type Capabilities, type Rights } from '../../crypto/capabilities.ts';
import { isCairnError } from '../../errors.ts';
import type { ArchiveRecord } from '../../log/state.ts';
import type { Repository } from '../../repository.ts';
import type { Seeded } from '../seeded.ts';
import { intrude } from './intruder.ts';
import type { Sources } from './sources.ts';
import { readArchive } from './witness.ts';

/** What an action is given: a repository that was opened just now, as a command does. */
export interface Scene {
  readonly repository: Repository;
  readonly random: Seeded;
  readonly sources: Sources;
  /** False once a clock was set wrong. */
  readonly clocksAgree: () => boolean;
}

export interface Action {
  readonly name: string;
  /** Key that it takes. */
  readonly rights: Rights;
  /** How often it is chosen beside the others. */
  readonly weight: number;
  readonly run: (scene: Scene) => Promise<void>;
}

const SERIES = ['web', 'mail'] as const;

async function backup({ repository, random, sources }: Scene): Promise<void> {
  const paths = random.someOf(sources.directories);
  const request = { paths, series: random.oneOf(SERIES), host: 'host', threads: 0, rereadAll: random.chance(0.3) };
  const { archive } = await repository.backup(request);
  if (!archive.descriptor.complete) throw new Error(`${archive.name} is not complete`);
}

async function prune({ repository, random }: Scene): Promise<void> {
  const policy = random.oneOf([{ last: 2 }, { last: 4 }, { hourly: 2, daily: 2 }, { daily: 7, weekly: 8, monthly: 4 }]);
  await repository.prune(await repository.planPrune({ policy, maxShare: random.chance(0.2) ? 0.5 : 1 }));
}

async function remove({ repository, random }: Scene): Promise<void> {
  const archives = repository.archives().filter((archive) => !archive.protect);
  if (archives.length > 0) await repository.delete(await repository.planDelete(random.someOf(archives)));
}

async function bringBack({ repository, random }: Scene): Promise<void> {
  const archives = repository.archives({ deleted: true }).filter((archive) => archive.state === 'deleted');
  if (archives.length > 0) await repository.undelete(await repository.planUndelete(random.someOf(archives)));
}

async function compact({ repository, random }: Scene): Promise<void> {
  const graceMs = random.oneOf([0, 0, 3_600_000, 86_400_000]);
  try {
    await repository.compact(await repository.planCompact({ graceMs, maxUnused: random.oneOf([0, 0.25, 0.9]) }));
  } catch (error) {
    // What an archive needs that nobody can read is not known: nothing is collected until it is given up and dropped.
    const isBlocked = repository.access.log.state.unreadable().some(({ state }) => state !== 'dropped');
    if (!isBlocked || !isCairnError(error, 'CORRUPT')) throw error;
  }
}

/** What an administrator does about entries that nobody can read. */
async function giveUp({ repository }: Scene): Promise<void> {
  const { unreadable } = await repository.planRepair({ threads: 0 });
  if (unreadable.length === 0) return;
  await repository.repair(await repository.planRepair({ threads: 0, giveUp: unreadable.map(({ seq }) => seq) }));
}

/**
 * Holds an archive, and reads it: whatever is deleted meanwhile, it must stay as long as the pin can be relied on. A collector
 * judges pins by its own clock, so clocks that differ by weeks excuse it.
 */
async function pin({ repository, random, sources, clocksAgree }: Scene): Promise<void> {
  const archives = repository.archives({ deleted: true });
  if (archives.length === 0) return;
  const archive = random.oneOf(archives);
  const held = await repository.pin([archive], { holder: 'simulated' });
  try {
    await readArchive(repository, archive, sources.filesOf(pathsOf(archive)));
  } catch (error) {
    if (!isLoss(error) || (clocksAgree() && held.isReliable) || (await isRoot(repository, archive))) throw error;
  }
  await held.release();
}

async function protect({ repository, random }: Scene): Promise<void> {
  const archives = repository.archives();
  if (archives.length === 0) return;
  const archive = random.oneOf(archives);
  await repository.protect([archive], !archive.protect);
}

async function restore({ repository, random, sources }: Scene): Promise<void> {
  const archives = repository.archives();
  if (archives.length === 0) return;
  const archive = random.oneOf(archives);
  try {
    await readArchive(repository, archive, sources.filesOf(pathsOf(archive)));
  } catch (error) {
    // An archive that was dropped while it was read may be gone: who wants to read on pins it.
    if (!isLoss(error) || (await isRoot(repository, archive))) throw error;
  }
}

function isLoss(error: unknown): boolean {
  return isCairnError(error, 'OBJECT_MISSING') || isCairnError(error, 'CORRUPT');
}

async function isRoot(repository: Repository, { id }: ArchiveRecord): Promise<boolean> {
  await repository.access.log.refresh();
  return repository.access.log.state.archives.get(id)?.state !== 'dropped';
}

async function check({ repository, random }: Scene): Promise<void> {
  const { log } = repository.access;
  const swept = (): number => log.state.sweptPacks.size + log.state.sweptSegments.size;
  const before = swept();
  const report = await repository.check({ threads: 0, data: random.chance(0.3), record: random.chance(0.5) });
  const errors = report.findings.filter(({ severity, code }) => severity === 'error' && code !== 'entry-unreadable');
  if (errors.length === 0) return;
  await log.refresh();
  // Listings are no snapshots: what a collector swept since they began says nothing (rule R12).
  if (swept() === before) throw new Error(`check finds damage: ${JSON.stringify(errors)}`);
}

/** The directories that an archive was made of. */
export function pathsOf({ descriptor }: ArchiveRecord): string[] {
  return descriptor.paths.map((path) => Buffer.from(path).toString());
}

/** Everything that clients do. In this order, each once, they use all of the program that clients do. */
export const ACTIONS: readonly Action[] = [
  { name: 'backup', rights: 'write', weight: 6, run: backup },
  { name: 'backup with a root key', rights: 'root', weight: 3, run: backup },
  { name: 'restore', rights: 'read', weight: 3, run: restore },
  { name: 'check', rights: 'root', weight: 2, run: check },
  { name: 'prune', rights: 'maintain', weight: 3, run: prune },
  { name: 'delete', rights: 'maintain', weight: 4, run: remove },
  { name: 'undelete', rights: 'maintain', weight: 2, run: bringBack },
  { name: 'pin', rights: 'read', weight: 2, run: pin },
  { name: 'compact', rights: 'maintain', weight: 5, run: compact },
  { name: 'protect', rights: 'maintain', weight: 1, run: protect },
  { name: 'intrude', rights: 'write', weight: 1, run: ({ repository, random }) => intrude(repository, random) },
  { name: 'give up', rights: 'maintain', weight: 2, run: giveUp },
];

/** The key file that an action is run with. */
export function keysFor(action: Action, keys: Capabilities): Capabilities {
  return restrict(keys, action.rights);
}
