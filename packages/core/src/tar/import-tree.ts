import { displayName, type ByteString } from '../host/byte-path.ts';
import { LIMITS } from '../limits.ts';
import { decodeEntry, EntryEncoder, type TreeEntry } from '../tree/entry.ts';
import { tarError } from './tar-error.ts';

/** A file, link or special file that has been read, by all its names. */
export class ImportedFile {
  /** Its entry under its first name, once its content is stored. */
  encoded: Buffer | undefined;
  names = 1;
}

/** A directory, whether a member told of it or only of something below it. */
export class ImportedDirectory {
  readonly children = new Map<ByteString, ImportedDirectory | ImportedFile>();
  /** What its member says; undefined when there was none. */
  entry: TreeEntry | undefined;
}

/** Link group of all files of an import: their inodes differ. */
const LINK_GROUP = 0;

/** The tree that members make, in whatever order they come. Rejects with `TAR_INVALID`. */
export class ImportTree {
  readonly root = new ImportedDirectory();
  private readonly encoder = new EntryEncoder();
  private members = 0;

  /** The directory of those names, which is made when it is missing. */
  directory(names: readonly ByteString[], offset: number): ImportedDirectory {
    let at = this.root;
    for (const [depth, name] of names.entries()) {
      const found = at.children.get(name);
      if (found instanceof ImportedFile) {
        throw tarError(offset, `${shown(names.slice(0, depth + 1))} is no directory, but a member lies below it`);
      }
      const next = found ?? new ImportedDirectory();
      if (found === undefined) this.count(offset);
      at.children.set(name, next);
      at = next;
    }
    return at;
  }

  /** Puts a file under its name. A later member takes the place of an earlier one, as `tar --append` means it. */
  put(names: readonly ByteString[], file: ImportedFile, offset: number): void {
    const name = names.at(-1);
    if (name === undefined) throw tarError(offset, 'the root of an archive is a directory');
    const parent = this.directory(names.slice(0, -1), offset);
    const before = parent.children.get(name);
    if (before instanceof ImportedDirectory)
      throw tarError(offset, `${shown(names)} is a directory and something else`);
    if (before === undefined) this.count(offset);
    else before.names -= 1;
    parent.children.set(name, file);
  }

  /** The file that a hard link leads to. */
  linked(names: readonly ByteString[], offset: number): ImportedFile {
    let at: ImportedDirectory | ImportedFile | undefined = this.root;
    for (const name of names) at = at instanceof ImportedDirectory ? at.children.get(name) : undefined;
    if (at instanceof ImportedFile) return at;
    throw tarError(offset, `a hard link leads to ${shown(names)}, which is not in the archive before it`);
  }

  /** The entry of a file under one of its names. */
  encode(name: ByteString, file: ImportedFile): Buffer {
    const encoded = file.encoded ?? Buffer.alloc(0);
    if (file.names === 1) {
      const entry = decodeEntry(encoded);
      return entry.name === name ? encoded : this.encoder.encode({ ...entry, name });
    }
    return this.encoder.encode({ ...decodeEntry(encoded), name, link: LINK_GROUP });
  }

  private count(offset: number): void {
    this.members += 1;
    if (this.members > LIMITS.tarMembers) throw tarError(offset, `it has more than ${LIMITS.tarMembers} members`);
  }
}

function shown(names: readonly ByteString[]): string {
  return displayName(names.join('/').slice(0, 200));
}
