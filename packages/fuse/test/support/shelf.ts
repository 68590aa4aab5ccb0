import {
  MemoryStore,
  Repository,
  systemEnvironment,
  type ArchiveReader,
  type ArchiveRecord,
  type Capabilities,
  type ObjectStore,
} from '@cairn/core';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ArchiveFileSystem, type FileSystemOptions } from '../../src/filesystem/file-system.ts';

/** A repository in memory with archives of a directory. */
export class Shelf implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'cairn-shown-'));
  readonly problems: string[] = [];
  readonly repository: Repository;
  /** What the repository is in. */
  readonly store: ObjectStore;
  readonly keys: Capabilities;
  readonly reader: ArchiveReader;

  private constructor(repository: Repository, store: ObjectStore, keys: Capabilities, reader: ArchiveReader) {
    this.repository = repository;
    this.store = store;
    this.keys = keys;
    this.reader = reader;
  }

  static async make(fill: (directory: string) => void, series: readonly string[] = ['home']): Promise<Shelf> {
    const store = new MemoryStore(systemEnvironment.clock);
    const { repository, keys } = await Repository.create(store);
    const scratch = mkdtempSync(join(tmpdir(), 'cairn-shown-'));
    fill(scratch);
    for (const name of series) await repository.backup({ paths: [scratch], series: name, threads: 0 });
    rmSync(scratch, { recursive: true, force: true });
    return new Shelf(repository, store, keys, await repository.reader({ threads: 0 }));
  }

  show(shown: FileSystemOptions['shown'], more: Partial<FileSystemOptions> = {}): ArchiveFileSystem {
    const onProblem = (text: string): void => void this.problems.push(text);
    return new ArchiveFileSystem({ reader: this.reader, clock: systemEnvironment.clock, shown, onProblem, ...more });
  }

  /** The newest archive's directory that was backed up. */
  async source(fileSystem: ArchiveFileSystem, archive: ArchiveRecord): Promise<number> {
    const [path = new Uint8Array()] = archive.descriptor.paths;
    return await nodeAt(fileSystem, Buffer.from(path).toString('latin1').split('/').slice(1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reader[Symbol.asyncDispose]();
    await this.repository.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function nodeAt(
  fileSystem: ArchiveFileSystem,
  names: readonly string[],
  from = fileSystem.root,
): Promise<number> {
  let node = from;
  for (const name of names) {
    const found = await fileSystem.lookup(node, name);
    if (found === undefined) throw new Error(`there is no ${name}`);
    node = found.attributes.node;
  }
  return node;
}
