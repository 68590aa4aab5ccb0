import type { ByteString } from '../host/byte-path.ts';

/** A file of an archive that no file system holds: standard input, or what a program prints. */
export interface ContentSource {
  /** Where it stands in the archive: an absolute path, a byte string. It takes the place of a file that is there. */
  readonly path: ByteString;
  /** 12 bits; 0600 unless given, since a dump holds what its database protects. */
  readonly mode?: number;
  /** Those of this process unless given. */
  readonly uid?: number;
  readonly gid?: number;
  /** When it was opened unless given. */
  readonly mtimeNs?: bigint;
  /** False when `open` can be called only once. */
  readonly repeatable?: boolean;
  /**
   * Begins it. The bytes count only when the iteration ends by itself: when it throws, nothing of it is stored. The pieces
   * are copied before the next one is asked for.
   * @param signal fires when nobody wants the rest any more.
   */
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}
