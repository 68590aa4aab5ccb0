import { ENTRY_KIND, type ByteString } from '@cairn/core';

import type { Attributes } from '../filesystem/attributes.ts';
import type { ArchiveFileSystem, Listed } from '../filesystem/file-system.ts';
import type { Found } from '../filesystem/places.ts';
import { Refusal } from '../filesystem/refusal.ts';
import type { ArchivedDirectory } from './directory-tar.ts';

/** Entries of a directory that are asked for at once. */
const BATCH = 256;

/** Names on the way to an archive where all of a repository is shown: its series, and itself. */
const NAMES_TO_ARCHIVE = 2;

/** What a path leads to. */
export interface Resource {
  readonly names: readonly ByteString[];
  readonly attributes: Attributes;
}

/**
 * Follows paths through a file system, and forgets what it looked up. No link of an archive is ever followed; the one to the newest
 * archive of a series, which no archive has, is that archive here.
 */
export class Resources {
  private readonly fileSystem: ArchiveFileSystem;

  constructor(fileSystem: ArchiveFileSystem) {
    this.fileSystem = fileSystem;
  }

  /**
   * Gives what `names` lead to to `use`, or undefined when they lead nowhere. What it is stays known until `use` is done. Rejects
   * as the file system does.
   */
  async with<T>(names: readonly ByteString[], use: (resource: Resource | undefined) => Promise<T>): Promise<T> {
    const looked: number[] = [];
    try {
      return await use(await this.find(names, looked));
    } finally {
      for (const node of looked.reverse()) this.fileSystem.forget(node, 1);
    }
  }

  private async find(names: readonly ByteString[], looked: number[]): Promise<Resource | undefined> {
    let { attributes } = await this.fileSystem.attributes(this.fileSystem.root);
    for (const name of names) {
      if (attributes.kind !== ENTRY_KIND.directory) return undefined;
      const found = await this.fileSystem.lookup(attributes.node, name);
      if (found === undefined) return undefined;
      ({ attributes } = await this.followed(attributes.node, found));
      if (attributes.kind === ENTRY_KIND.directory) looked.push(attributes.node);
    }
    return { names, attributes };
  }

  /** What a link to the newest archive leads to, looked up; anything else as it is. */
  private async followed(parent: number, found: Found): Promise<Found> {
    const { kind, node } = found.attributes;
    if (kind !== ENTRY_KIND.symlink || this.fileSystem.isFixed(node)) return found;
    return (await this.fileSystem.lookup(parent, await this.fileSystem.readLink(node))) ?? found;
  }

  /** The entries of a directory with their attributes, in name order; memory is some hundred of them. */
  async *entries({ attributes }: Resource): AsyncGenerator<Listed> {
    // `.` and `..` come first, at places 0 and 1.
    for (let from = 2; ;) {
      const batch: Listed[] = [];
      await this.fileSystem.list(attributes.node, from, true, (listed) => {
        if (batch.length === BATCH) return false;
        return batch.push(listed) > 0;
      });
      try {
        for (const [i, listed] of batch.entries()) {
          const found = listed.found && (await this.followed(attributes.node, listed.found));
          if (found !== undefined && found !== listed.found) {
            const { node, kind } = found.attributes;
            batch[i] = { ...listed, node, kind, found };
          }
          yield batch[i] ?? listed;
        }
      } finally {
        for (const { node, kind } of batch) if (kind === ENTRY_KIND.directory) this.fileSystem.forget(node, 1);
      }
      if (batch.length < BATCH) return;
      from = batch.at(-1)?.next ?? from;
    }
  }

  /** The content of a file, in pieces. */
  async *content({ attributes }: Resource, offset: number, length: number): AsyncGenerator<Uint8Array> {
    const step = 1024 * 1024;
    for (let at = offset; at < offset + length; at += step) {
      const wanted = Math.min(step, offset + length - at);
      let got = 0;
      for (const piece of await this.fileSystem.read(attributes.node, at, wanted)) {
        got += piece.length;
        yield piece;
      }
      if (got !== wanted) throw new Refusal('EIO');
    }
  }

  /** What a directory is in its archive; undefined for one that is in none, and for anything else. */
  archived({ names, attributes }: Resource): ArchivedDirectory | undefined {
    if (attributes.kind !== ENTRY_KIND.directory) return undefined;
    const archive = this.fileSystem.archiveAt(attributes.node);
    if (archive === undefined) return undefined;
    return { archive, names: this.fileSystem.allFixed ? names : names.slice(NAMES_TO_ARCHIVE) };
  }

  async target({ attributes }: Resource): Promise<ByteString> {
    return await this.fileSystem.readLink(attributes.node);
  }
}
