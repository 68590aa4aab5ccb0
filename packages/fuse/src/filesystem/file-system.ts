import {
  decodeEntry,
  ENTRY_KIND,
  isCairnError,
  type ArchiveRecord,
  type ByteString,
  type Clock,
  type EntryKind,
  type TreeEntry,
} from '@cairn/core';

import type { OwnerRules } from './attributes.ts';
import type { CatalogEntry } from './catalog.ts';
import { FileContents, seekIn, type ContentSource } from './file-contents.ts';
import { FilesAhead } from './files-ahead.ts';
import { Places, type Found, type Place, type Shown } from './places.ts';
import { Problems } from './problems.ts';
import { Refusal } from './refusal.ts';

/** What is shown, and how. */
export interface FileSystemOptions {
  /** Gives chunks. */
  readonly reader: ContentSource;
  readonly clock: Clock;
  readonly shown: Shown;
  readonly rules?: OwnerRules;
  /** Hears once of each thing that could not be read: what happened, and to which file and object. */
  readonly onProblem: (text: string) => void;
  /** Called, and waited for, before anything in an archive is looked at for the first time. */
  readonly onEnter?: (archive: ArchiveRecord) => Promise<void>;
}

/** One entry of a directory. */
export interface Listed {
  readonly name: ByteString;
  readonly node: number;
  readonly kind: EntryKind;
  /** Where to go on after it. */
  readonly next: number;
  /** When they were asked for; never of `.` and `..`. */
  readonly found?: Found;
}

export interface Statistics {
  readonly bytes: number;
  readonly files: number;
}

/** Takes an entry of a directory; false when there is no more room. */
export type AddListed = (listed: Listed) => boolean;

/** Attributes of access control lists begin so (acl(5)). */
const ACL_PREFIX = 'system.posix_acl_';

/**
 * Archives as a read-only file system of numbered nodes. Knows no driver. Methods reject with a `Refusal` that says what system
 * error to answer; what of a repository could not be read is told to `onProblem` and answered with EIO, never with less.
 */
export class ArchiveFileSystem {
  /** The node of the root directory. */
  readonly root: number;
  private readonly options: FileSystemOptions;
  private readonly problems: Problems;
  private readonly places: Places;
  private readonly contents: FileContents;
  private readonly entered = new Map<string, Promise<void>>();

  /** Rejects with `CORRUPT` when the archive's root does not decode. */
  constructor(options: FileSystemOptions) {
    const { reader, shown, clock, rules = {}, onProblem } = options;
    this.options = options;
    this.problems = new Problems(onProblem);
    this.places = new Places(reader, shown, rules, clock, this.problems);
    this.contents = new FileContents(reader, (node) => ahead.note(node));
    const ahead = new FilesAhead(this.places, this.contents);
    this.root = this.places.root;
  }

  /** True when nothing that is shown ever changes. */
  get allFixed(): boolean {
    return this.places.catalog === undefined;
  }

  /** True for what is in an archive, and so never changes. */
  isFixed(node: number): boolean {
    const { is } = this.places.at(node);
    return is === 'directory' || is === 'entry';
  }

  /** The archive that a node is in; undefined for what no archive has. */
  archiveAt(node: number): ArchiveRecord | undefined {
    const place = this.places.at(node);
    return 'directory' in place ? place.directory.archive.archive : undefined;
  }

  /** The entry of that name, or undefined; counts as one look-up of a directory until it is forgotten. */
  async lookup(parent: number, name: ByteString): Promise<Found | undefined> {
    const place = this.places.at(parent);
    return await this.reading(place, async () => {
      if (place.is === 'catalog') {
        const entry = (await place.catalog.entries(place.number)).find((one) => one.name === name);
        return entry === undefined ? undefined : await this.places.foundInCatalog(entry, place);
      }
      if (place.is !== 'directory') throw new Refusal('ENOTDIR');
      const { directory } = place;
      await this.enter(directory.archive.archive);
      const found = await (await directory.archive.listing(directory)).find(name);
      if (found === undefined) return undefined;
      return await this.places.found(directory, found.ordinal, decodeEntry(found.bytes));
    });
  }

  /** So many look-ups of a directory are forgotten. */
  forget(node: number, count: number): void {
    this.places.forget(node, count);
  }

  async attributes(node: number): Promise<Found> {
    const place = this.places.at(node);
    return await this.reading(place, async () => await this.places.attributes(place));
  }

  /** The target of a symlink. */
  async readLink(node: number): Promise<ByteString> {
    const place = this.places.at(node);
    const target = place.is === 'latest' ? place.catalog.latest(place.ordinal) : (await this.entry(place)).target;
    if (target === undefined || target === null) throw new Refusal('EINVAL');
    return target;
  }

  /**
   * Gives the entries of a directory, `.` and `..` first, from place `from` on (0: the first), until `add` says that there is no
   * more room. With `plus`, attributes too; each directory given with them counts as looked up.
   */
  async list(node: number, from: number, plus: boolean, add: AddListed): Promise<void> {
    const place = this.places.at(node);
    if (place.is !== 'directory' && place.is !== 'catalog') throw new Refusal('ENOTDIR');
    const parent = place.is === 'directory' ? place.directory.parentNode : this.root;
    if (from <= 0 && !add({ name: '.', node, kind: ENTRY_KIND.directory, next: 1 })) return;
    if (from <= 1 && !add({ name: '..', node: parent, kind: ENTRY_KIND.directory, next: 2 })) return;
    const first = Math.max(0, from - 2);
    await this.reading(place, async () => {
      if (place.is === 'directory') await this.listDirectory(place, first, plus, add);
      else await this.listCatalog(place, await place.catalog.entries(place.number), first, plus, add);
    });
  }

  /**
   * The bytes of the range that the file has, in pieces: fewer only at its end. Where the reader frees chunks they are to be used at
   * once, and not kept.
   */
  async read(node: number, offset: number, length: number): Promise<readonly Uint8Array[]> {
    const { reader } = this.options;
    const work = async (): Promise<readonly Uint8Array[]> => await this.readPieces(node, offset, length);
    return await (reader.reading?.(work) ?? work());
  }

  private async readPieces(node: number, offset: number, length: number): Promise<readonly Uint8Array[]> {
    const place = this.places.at(node);
    if (place.is === 'catalog' || place.is === 'directory') throw new Refusal('EISDIR');
    return await this.reading(place, async () => {
      const entry = async (): Promise<TreeEntry> => {
        const found = await this.places.entry(place);
        if (found.kind !== ENTRY_KIND.file) throw new Refusal('EINVAL');
        return found;
      };
      return await this.contents.read(node, entry, offset, length);
    });
  }

  /** As `read`, when all of it is at hand; undefined when something must be waited for, or is no file. */
  readNow(node: number, offset: number, length: number): readonly Uint8Array[] | undefined {
    return this.contents.readNow(node, offset, length);
  }

  /** Where data or a hole begins at or after `offset`, as lseek(2) tells it. */
  async seek(node: number, offset: number, whence: number): Promise<number> {
    return seekIn(await this.entry(this.places.at(node)), offset, whence);
  }

  /** Extended attributes, ascending by name. Access control lists are among them, unless a umask changes permissions. */
  async xattrs(node: number): Promise<readonly (readonly [name: ByteString, value: Uint8Array])[]> {
    const place = this.places.at(node);
    if (place.is === 'catalog' || place.is === 'latest') return [];
    const { xattrs } = await this.entry(place);
    if (this.options.rules?.umask === undefined) return xattrs ?? [];
    return (xattrs ?? []).filter(([name]) => !name.startsWith(ACL_PREFIX));
  }

  /** Inode flags (`linux/fs.h`). */
  async flags(node: number): Promise<number> {
    const place = this.places.at(node);
    return place.is === 'catalog' || place.is === 'latest' ? 0 : ((await this.entry(place)).flags ?? 0);
  }

  statistics(): Statistics {
    const { shown } = this.options;
    let bytes = 0;
    let files = 0;
    for (const { descriptor } of 'all' in shown ? shown.all.archives() : [shown.archive]) {
      bytes += descriptor.stats.bytes;
      files += descriptor.stats.files + descriptor.stats.directories + descriptor.stats.others;
    }
    return { bytes, files };
  }

  private async entry(place: Place): Promise<TreeEntry> {
    return await this.reading(place, async () => await this.places.entry(place));
  }

  private async listDirectory(
    { directory }: Extract<Place, { is: 'directory' }>,
    first: number,
    plus: boolean,
    add: AddListed,
  ): Promise<void> {
    await this.enter(directory.archive.archive);
    const cursor = (await directory.archive.listing(directory)).from(first);
    for (let listed = cursor.next(); listed !== undefined; listed = cursor.next()) {
      if (listed === 'more') {
        await cursor.load();
        continue;
      }
      const { ordinal } = listed;
      const entry = decodeEntry(listed.bytes);
      const { name, kind } = entry;
      if (!plus) {
        if (!add({ name, kind, node: this.places.nodeOf(directory, ordinal, entry), next: ordinal + 3 })) return;
        continue;
      }
      const looked = this.places.found(directory, ordinal, entry);
      const found = looked instanceof Promise ? await looked : looked;
      const { node } = found.attributes;
      if (add({ name, kind, node, next: ordinal + 3, found })) continue;
      this.forget(node, 1);
      return;
    }
  }

  private async listCatalog(
    place: Place,
    entries: readonly CatalogEntry[],
    first: number,
    plus: boolean,
    add: AddListed,
  ): Promise<void> {
    for (const [i, entry] of entries.slice(first).entries()) {
      const { name, node, target } = entry;
      const kind = target === undefined ? ENTRY_KIND.directory : ENTRY_KIND.symlink;
      const found = plus ? { found: await this.places.foundInCatalog(entry, place) } : {};
      if (!add({ name, node, kind, next: first + i + 3, ...found })) return;
    }
  }

  private async enter(archive: ArchiveRecord): Promise<void> {
    this.places.catalog?.hold(archive);
    const { onEnter } = this.options;
    if (onEnter === undefined) return;
    let entering = this.entered.get(archive.id);
    if (entering === undefined) {
      entering = onEnter(archive);
      this.entered.set(archive.id, entering);
      // The next look tries again.
      entering.catch(() => this.entered.delete(archive.id));
    }
    await entering;
  }

  /** Does what may fail for what is in the repository: that is told, and becomes EIO. */
  private async reading<T>(place: Place, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof Refusal) throw error;
      this.problems.tell(error, await this.places.describe(place));
      throw new Refusal(isCairnError(error, 'RIGHT_MISSING') ? 'EACCES' : 'EIO');
    }
  }
}
