import type { ByteString } from '../host/byte-path.ts';
import type { TargetFailure } from './target-failure.ts';

/** What a directory of the target is. */
export interface DirectoryIdentity {
  readonly device: number;
  readonly inode: bigint;
  /** This restore made it; otherwise it was there before, and its metadata is left alone unless it is restored in place. */
  readonly byUs: boolean;
  /** Its modification time then. */
  readonly mtimeNs: bigint;
}

/** A directory of the target while something in it is still to be done. */
export class TargetDirectory {
  /** Undefined for the target itself. */
  readonly parent: TargetDirectory | undefined;
  readonly name: ByteString;
  /** Archive path, for messages. */
  readonly path: ByteString;
  /** Position in the walk: files of one directory are made one after the other. */
  readonly order: number;
  /** Its encoded entry; undefined when its metadata is not to be touched. */
  readonly encoded: Uint8Array | undefined;
  /** Asked for itself, not only for what is below it. */
  wanted = false;
  /** It was there, with the metadata of the archive: what this restore does in it changes its time, which is set again. */
  matched = false;
  /** Names that it had before and that the walk has not met yet; undefined when nothing in it is to be removed. */
  extra: Set<ByteString> | undefined;
  /** What it was when it was first opened; undefined before that. */
  made: DirectoryIdentity | undefined;
  /** Why it cannot be had, nor anything in it. */
  failure: TargetFailure | undefined;
  /** Its open descriptor, −1 when there is none. Users who need it longer than until the next call count in `pins`. */
  fd = -1;
  pins = 0;

  constructor(
    parent: TargetDirectory | undefined,
    name: ByteString,
    path: ByteString,
    order: number,
    encoded: Uint8Array | undefined,
  ) {
    this.parent = parent;
    this.name = name;
    this.path = path;
    this.order = order;
    this.encoded = encoded;
  }

  /** The path of an entry in it, from the target, without a slash before it. */
  pathOf(name: ByteString): ByteString {
    const names = [name];
    let up: TargetDirectory = this;
    for (; up.parent !== undefined; up = up.parent) names.push(up.name);
    return names.reverse().join('/');
  }
}
