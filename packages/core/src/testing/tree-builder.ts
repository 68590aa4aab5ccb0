import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { systemErrorCode } from '../errors.ts';
import { fsPath } from '../host/byte-path.ts';
import type { ByteString } from '../host/byte-path.ts';
import { linkNoFollow, makeNode } from '../host/file-nodes.ts';
import type { DeviceNumber } from '../host/file-nodes.ts';
import { setTimes } from '../host/file-times.ts';
import { setInodeFlags } from '../host/inode-flags.ts';
import { setXattr } from '../host/xattrs.ts';
import { pseudoRandomBytes } from './pseudo-random.ts';

/** Refusals that are a fact about the user or the file system, not a mistake of the caller. */
const REFUSALS: readonly (string | undefined)[] = ['EPERM', 'EACCES', 'ENOTSUP', 'ENOSPC', 'ERANGE', 'E2BIG', 'EFBIG'];

/**
 * Makes entries below one directory; names are byte strings relative to it. Nothing is replaced. Methods throw system
 * errors, but for those that say they note a refusal.
 */
export class TreeBuilder {
  /** What was refused, as `what: code`. */
  readonly skipped: string[] = [];
  readonly #root: ByteString;

  constructor(root: ByteString) {
    this.#root = root;
    mkdirSync(fsPath(root), { recursive: true });
  }

  path(name: ByteString): ByteString {
    return `${this.#root}/${name}`;
  }

  file(name: ByteString, content: string | Uint8Array = ''): void {
    writeFileSync(fsPath(this.path(name)), content, { flag: 'wx' });
  }

  directory(name: ByteString): void {
    mkdirSync(fsPath(this.path(name)));
  }

  symlink(name: ByteString, target: ByteString): void {
    symlinkSync(fsPath(target), fsPath(this.path(name)));
  }

  hardLink(name: ByteString, existing: ByteString): void {
    linkNoFollow(this.path(existing), this.path(name));
  }

  /** A file of `size` bytes that is a hole but for some ranges of pseudo-random data. */
  sparseFile(name: ByteString, size: number, data: readonly (readonly [offset: number, length: number])[]): void {
    const fd = openSync(fsPath(this.path(name)), 'wx');
    try {
      ftruncateSync(fd, size);
      for (const [offset, length] of data) {
        writeSync(fd, pseudoRandomBytes(`${name} ${offset}`, length), 0, length, offset);
      }
    } finally {
      closeSync(fd);
    }
  }

  /** `mode` has the kind of node in it, as for `makeNode`. Notes a refusal. */
  node(name: ByteString, mode: number, device?: DeviceNumber): boolean {
    return this.attempt(name, () => makeNode(this.path(name), mode, device));
  }

  mode(name: ByteString, mode: number): void {
    chmodSync(fsPath(this.path(name)), mode);
  }

  /** Notes a refusal. */
  owner(name: ByteString, uid: number, gid: number): void {
    this.attempt(`owner of ${name}`, () => lchownSync(fsPath(this.path(name)), uid, gid));
  }

  /** Notes a refusal. */
  xattr(name: ByteString, attribute: ByteString, value: Uint8Array): void {
    this.attempt(`${attribute} of ${value.length} bytes on ${name}`, () => setXattr(this.path(name), attribute, value));
  }

  /** Sets inode flags. Notes a refusal. */
  flags(name: ByteString, flags: number): void {
    const fd = openSync(fsPath(this.path(name)), 'r');
    try {
      if (setInodeFlags(fd, flags, flags) !== 0) this.skipped.push(`inode flags of ${name}: ENOTSUP`);
    } finally {
      closeSync(fd);
    }
  }

  mtime(name: ByteString, mtimeNs: bigint): void {
    setTimes(this.path(name), { mtimeNs });
  }

  /** Does what may be refused, and notes that; true when it was done. */
  attempt(what: string, action: () => void): boolean {
    try {
      action();
      return true;
    } catch (error) {
      const code = systemErrorCode(error);
      if (!REFUSALS.includes(code)) throw error;
      this.skipped.push(`${what}: ${code}`);
      return false;
    }
  }
}
