import { Repository, restrict, type ArchiveRecord, type Capabilities, type ObjectStore } from '@cairn/core';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes the repository through a store whose credential may maintain; gives its root key. */
export async function makeRepository(store: ObjectStore): Promise<Capabilities> {
  const { repository, keys } = await Repository.create(store);
  await repository.close();
  return keys;
}

/** Writes some files with bytes that nobody has, so that a backup has something to put. */
export function writeFiles(directory: string, count: number, bytes: number): void {
  mkdirSync(directory, { recursive: true });
  for (let number = 0; number < count; number += 1)
    writeFileSync(join(directory, `file-${number}`), randomBytes(bytes));
}

/** Backs a directory up with a write key, as a nightly host does. */
export async function backUp(
  store: ObjectStore,
  keys: Capabilities,
  directory: string,
  series = 'test',
): Promise<ArchiveRecord> {
  const repository = await Repository.open(store, { keys: restrict(keys, 'write') });
  const { archive } = await repository.backup({ paths: [directory], series, threads: 0 });
  return archive;
}

/** Restores an archive with a read key, and says which files are not as they were in `directory`. */
export async function restoreDifferences(
  store: ObjectStore,
  keys: Capabilities,
  archive: string,
  directory: string,
  target: string,
): Promise<string[]> {
  const repository = await Repository.open(store, { keys: restrict(keys, 'read') });
  return await differencesOf(repository, archive, directory, target);
}

/** The same with a repository that is open. */
export async function differencesOf(
  repository: Repository,
  archive: string,
  directory: string,
  target: string,
): Promise<string[]> {
  const report = await repository.restore(archive, target, { threads: 0 });
  const different = report.problems.map((problem) => problem.message);
  const restored = join(target, directory);
  for (const name of readdirSync(directory)) {
    if (!readFileSync(join(directory, name)).equals(readFileSync(join(restored, name)))) different.push(name);
  }
  rmSync(target, { recursive: true });
  return different;
}
