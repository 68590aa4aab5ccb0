import { closeSync, constants, openSync, readdirSync } from 'node:fs';
import { fsPath } from '../host/byte-path.ts';
import type { ByteString } from '../host/byte-path.ts';

const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * A place in a directory tree, held by one descriptor at any depth, so that trees deeper than PATH_MAX can be walked.
 * Goes back up through `..`: only for trees that nobody moves meanwhile.
 */
export class DirectoryCursor {
  #fd: number;
  readonly #names: ByteString[] = [];

  /** Opens the root of the walk. Throws a system error, as all methods do. */
  constructor(root: ByteString) {
    this.#fd = openSync(fsPath(root), OPEN_DIRECTORY);
  }

  /** A path for `node:fs` (through `fsPath`) to an entry of the current directory, `.` for the directory itself. */
  path(name: ByteString): ByteString {
    return `/proc/self/fd/${this.#fd}/${name}`;
  }

  /** The path of an entry of the current directory, relative to the root. May be longer than PATH_MAX. */
  relativePath(name: ByteString): ByteString {
    return this.#names.length === 0 ? name : `${this.#names.join('/')}/${name}`;
  }

  /** Names in the current directory, in byte order. */
  list(): ByteString[] {
    return readdirSync(this.path('.'), { encoding: 'latin1' }).sort();
  }

  /** Goes down into a directory, never through a link. */
  enter(name: ByteString): void {
    this.#moveTo(name);
    this.#names.push(name);
  }

  /** Goes back up and gives the name of the directory left; undefined, without moving, at the root. */
  leave(): ByteString | undefined {
    if (this.#names.length === 0) return undefined;
    this.#moveTo('..');
    return this.#names.pop();
  }

  #moveTo(name: ByteString): void {
    const next = openSync(fsPath(this.path(name)), OPEN_DIRECTORY);
    closeSync(this.#fd);
    this.#fd = next;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
