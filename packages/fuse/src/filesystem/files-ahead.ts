import { decodeEntry, ENTRY_KIND, type TreeEntry } from '@cairn/core';

import type { FileContents } from './file-contents.ts';
import { placeOfNode } from './nodes.ts';
import type { Places } from './places.ts';

/** Files read in the order of their names after which the next ones are got ready: two are no walk. */
const STREAK_BEGINS = 3;
/** Entries between two files that are read in order: directories, links, and files that the program leaves out. */
const GAP = 64;
/** How far ahead: bytes of files, and entries of the directory. */
const AHEAD_BYTES = 1024 * 1024;
const AHEAD_ENTRIES = 64;

/**
 * Gets small files ready that will be read next. Programs that copy or search a tree (`cp -a`, `tar`, `rsync`, `grep -r`) read the
 * files of a directory in the order in which they are listed, one at a time: while one is looked at, the next are opened in
 * other threads.
 */
export class FilesAhead {
  private readonly places: Places;
  private readonly contents: FileContents;
  /** The directory and the entry that were read last. */
  private directory = -1;
  private last = -1;
  /** How many reads in order led there. It goes on in the next directory. */
  private streak = 0;
  /** The first entry of the directory that was not got ready, and the bytes from the last one that was read up to it. */
  private ready = 0;
  private busy = false;

  constructor(places: Places, contents: FileContents) {
    this.places = places;
    this.contents = contents;
  }

  /** A file is read that was not read lately. */
  note(node: number): void {
    const { directory, ordinal } = placeOfNode(node);
    if (ordinal === undefined) return;
    if (directory !== this.directory) {
      this.directory = directory;
      this.ready = ordinal + 1;
    } else if (ordinal < this.last || ordinal > this.last + GAP) {
      this.streak = 0;
      this.ready = ordinal + 1;
    }
    this.last = ordinal;
    this.streak += 1;
    this.ready = Math.max(this.ready, ordinal + 1);
    // The next ones are asked for when half of those before were read.
    if (this.streak < STREAK_BEGINS || this.busy || this.ready - ordinal > AHEAD_ENTRIES / 2) return;
    this.busy = true;
    this.prepare(node, directory)
      // Whoever reads these files meets the same failure, and is told.
      .catch(() => undefined)
      .finally(() => (this.busy = false));
  }

  private async prepare(node: number, number: number): Promise<void> {
    const place = this.places.at(node);
    if (place.is !== 'entry') return;
    const { directory } = place;
    const cursor = (await directory.archive.listing(directory)).from(this.ready);
    let bytes = 0;
    for (let listed = cursor.next(); listed !== undefined; listed = cursor.next()) {
      if (listed === 'more') {
        await cursor.load();
        continue;
      }
      // Somebody reads elsewhere by now.
      if (this.directory !== number || listed.ordinal < this.ready) return;
      if (bytes >= AHEAD_BYTES || listed.ordinal > this.last + AHEAD_ENTRIES) return;
      this.ready = listed.ordinal + 1;
      const entry = decodeEntry(listed.bytes);
      if (isPlain(entry)) bytes += this.contents.prepare(this.places.nodeOf(directory, listed.ordinal, entry), entry);
    }
  }
}

/** A file with one name: the others are read once, under whichever name comes first. */
function isPlain({ kind, link }: TreeEntry): boolean {
  return kind === ENTRY_KIND.file && link === null;
}
