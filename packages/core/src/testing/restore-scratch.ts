import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { invariant } from '../errors.ts';
import { fromUtf8 } from '../host/byte-path.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { RestoreOptions, RestoreReport } from '../restore/options.ts';
import type { MemoryObject } from '../stores/memory.ts';
import { restoreArchive, type RestoreRun } from '../verbs/restore.ts';
import { ArchiveBuilder, type ArchiveNode } from './archive-builder.ts';
import { removeTree } from './remove-tree.ts';

/** A repository in memory and a directory to restore into. */
export class RestoreScratch implements Disposable {
  readonly directory: string;
  /** Does not exist at first. */
  readonly target: string;
  /** The objects of the repository: to count or to damage. */
  readonly objects: Map<string, MemoryObject>;
  readonly builder: ArchiveBuilder;

  private constructor(objects: Map<string, MemoryObject>, builder: ArchiveBuilder) {
    this.directory = mkdtempSync(join(tmpdir(), 'cairn-restore-'));
    this.target = join(this.directory, 'target');
    this.objects = objects;
    this.builder = builder;
  }

  static async create(): Promise<RestoreScratch> {
    const objects = new Map<string, MemoryObject>();
    return new RestoreScratch(objects, await ArchiveBuilder.create({ objects }));
  }

  [Symbol.dispose](): void {
    // Only root can remove what is in a directory without rights.
    if (process.geteuid?.() !== 0) execFileSync('chmod', ['-R', 'u+rwx', this.directory]);
    removeTree(fromUtf8(this.directory));
  }

  /** Restores in this thread unless told otherwise. */
  async restore(
    archive: ArchiveRecord,
    options: RestoreOptions = {},
    run: RestoreRun = {},
    store?: ObjectStore,
  ): Promise<RestoreReport> {
    const access = await this.builder.access(store);
    return await restoreArchive(access, archive, this.target, { threads: 0, ...options }, run);
  }

  async restoreNodes(nodes: readonly ArchiveNode[], options: RestoreOptions = {}): Promise<RestoreReport> {
    return await this.restore(await this.builder.commit(nodes), options);
  }

  path(name: string): string {
    return join(this.target, name);
  }

  text(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  bytes(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  /** Labels (`packs/NAME`) of the packs that hold file data, oldest first. */
  dataPacks(): string[] {
    return [...this.objects]
      .filter(([label, { body }]) => label.startsWith('packs/') && body[5] === 1)
      .map(([label]) => label);
  }

  /** Puts other bytes in the place of an object. */
  alter(label: string, change: (body: Uint8Array) => Uint8Array): void {
    const object = this.objects.get(label);
    invariant(object !== undefined, 'the object exists');
    this.objects.set(label, { ...object, body: change(new Uint8Array(object.body)) });
  }
}
