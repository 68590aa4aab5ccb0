import type { ArchiveFileSystem } from '../filesystem/file-system.ts';
import type { Found } from '../filesystem/places.ts';
import type { RefusalCode } from '../filesystem/refusal.ts';
import { directoryType } from '../filesystem/attributes.ts';
import {
  INIT_FLAG,
  IOCTL_GET_FLAGS,
  KERNEL_MINOR,
  LEAST_MINOR,
  OPCODE,
  OPEN_FLAG,
  WRITING,
} from '../protocol/constants.ts';
import { DirectoryBuffer } from '../protocol/directory-buffer.ts';
import {
  encodeAttributes,
  encodeEntry,
  encodeInit,
  encodeIoctl,
  encodeOpen,
  encodeSeek,
  encodeStatistics,
  encodeXattrSize,
} from '../protocol/replies.ts';
import type { Request } from '../protocol/requests.ts';
import { PlainNodes } from './plain-nodes.ts';

/** The body of an answer in parts, or the name of a system error. */
export type Answer = readonly Uint8Array[] | SystemErrorName;
export type SystemErrorName = RefusalCode | 'EINTR' | 'ENOSYS' | 'ENOTTY' | 'EPROTO' | 'ERANGE' | 'EROFS';

/** NAME_MAX (linux/limits.h), bytes. */
const MOST_NAME_BYTES = 255;
/** Bytes of the longest READ that is asked for, in pages of 4 KiB: 1 MiB. */
const MOST_PAGES = 256;
/** Requests that the kernel may have waiting in the background: what keeps several readers' read-ahead going. */
const BACKGROUND = 64;
/** The least that the kernel accepts: nothing is ever written. */
export const MOST_WRITE_BYTES = 4096;
/** Linux keeps `O_ACCMODE` here (asm-generic/fcntl.h); 0 is reading. */
const ACCESS_MODE = 3;
/** For how long the kernel may believe that a name does not exist, where archives never change, seconds. */
const ABSENT_S = 3_600;
/** Attributes that only root may know of (xattr(7)). */
const ROOT_ONLY = 'trusted.';

const EMPTY: Answer = [];

const WANTED_FLAGS =
  INIT_FLAG.asyncRead |
  INIT_FLAG.readdirplus |
  INIT_FLAG.readdirplusAuto |
  INIT_FLAG.parallelDirectoryOperations |
  INIT_FLAG.maxPages |
  INIT_FLAG.cacheSymlinks |
  INIT_FLAG.noOpenSupport |
  INIT_FLAG.noOpendirSupport;

/** Answers requests of the kernel from a file system. One object for each mount: it keeps what INIT settled. */
export class Answers {
  private readonly fileSystem: ArchiveFileSystem;
  private readonly checkPermissions: boolean;
  private readonly plain = new PlainNodes();
  private agreed = 0;
  /** Memory in which answers about directories are put together, when it is not in use. */
  private readonly rooms: Buffer[] = [];

  constructor(fileSystem: ArchiveFileSystem, checkPermissions: boolean) {
    this.fileSystem = fileSystem;
    this.checkPermissions = checkPermissions;
  }

  /** At once where nothing must be waited for. Throws and rejects as the file system does. */
  answer(request: Request): Answer | Promise<Answer> {
    const { fileSystem } = this;
    const { node } = request;
    switch (request.kind) {
      case 'init':
        return this.init(request);
      case 'lookup':
        return this.lookup(node, request.name);
      case 'read':
        return (
          fileSystem.readNow(node, request.offset, request.size) ?? fileSystem.read(node, request.offset, request.size)
        );
      case 'readdir':
        return this.readDirectory(node, request.offset, request.size, request.plus);
      case 'getxattr':
        return this.plain.has(node) ? 'ENODATA' : this.xattr(node, request.name, request.size);
      case 'listxattr':
        if (this.plain.has(node)) return sized(Buffer.alloc(0), request.size);
        return this.xattrNames(node, request.size, request.uid === 0);
      case 'open':
        return request.opcode === OPCODE.open ? this.open(request.flags) : this.openDirectory(node);
      case 'lseek':
        return fileSystem.seek(node, request.offset, request.whence).then((offset) => [encodeSeek(offset)]);
      case 'ioctl':
        if (request.command !== IOCTL_GET_FLAGS) return 'ENOTTY';
        return fileSystem.flags(node).then((flags) => [encodeIoctl(flags, request.outSize)]);
      case 'forget':
      case 'interrupt':
        return EMPTY;
      case 'other':
        return this.other(node, request.opcode);
    }
  }

  private other(node: number, opcode: number): Answer | Promise<Answer> {
    switch (opcode) {
      case OPCODE.getattr:
        return this.fileSystem.attributes(node).then((found) => [encodeAttributes(found)]);
      case OPCODE.readlink:
        return this.fileSystem.readLink(node).then((target) => [Buffer.from(target, 'latin1')]);
      case OPCODE.statfs:
        return [encodeStatistics(this.fileSystem.statistics())];
      case OPCODE.release:
      case OPCODE.releasedir:
      case OPCODE.destroy:
        return EMPTY;
      default:
        // To FLUSH, FSYNC and ACCESS this means: all is well, and need not be asked again (fs/fuse/file.c and dir.c).
        return WRITING.has(opcode) ? 'EROFS' : 'ENOSYS';
    }
  }

  private init({ major, minor, readahead, flags }: Extract<Request, { kind: 'init' }>): Answer {
    if (major < 7 || (major === 7 && minor < LEAST_MINOR)) return 'EPROTO';
    const wanted = this.checkPermissions ? WANTED_FLAGS | INIT_FLAG.posixAcl : WANTED_FLAGS;
    this.agreed = flags & wanted;
    return [
      encodeInit({
        minor: major > 7 ? KERNEL_MINOR : minor,
        flags: this.agreed,
        readahead,
        background: BACKGROUND,
        maxWrite: MOST_WRITE_BYTES,
        maxPages: MOST_PAGES,
      }),
    ];
  }

  private async lookup(parent: number, name: string): Promise<Answer> {
    if (name.length > MOST_NAME_BYTES) return 'ENAMETOOLONG';
    const found = await this.fileSystem.lookup(parent, name);
    if (found !== undefined) {
      this.note(found);
      return [encodeEntry(found)];
    }
    if (!this.fileSystem.isFixed(parent)) return 'ENOENT';
    // Node 0: there is no such entry, and the kernel may remember that.
    return [encodeEntry({ attributes: NO_ATTRIBUTES, validS: ABSENT_S })];
  }

  private async readDirectory(node: number, from: number, size: number, plus: boolean): Promise<Answer> {
    const room = this.rooms.pop();
    const memory = room !== undefined && room.length >= size ? room : Buffer.allocUnsafeSlow(size);
    try {
      const buffer = new DirectoryBuffer(memory.subarray(0, size));
      await this.fileSystem.list(node, from, plus, ({ name, node: child, kind, next, found }) => {
        if (found !== undefined) this.note(found);
        const entry = { name, node: child, next, type: directoryType(kind) };
        return plus ? buffer.addPlus(entry, found) : buffer.add(entry);
      });
      // Most answers are far shorter than what there is room for, and memory of its own for each keeps the collector busy.
      return [Buffer.from(buffer.bytes())];
    } finally {
      this.rooms.push(memory);
    }
  }

  private note({ attributes, hasXattrs }: Found): void {
    if (!hasXattrs) this.plain.add(attributes.node);
  }

  /** When the kernel can do without, it is told so: then opening a file needs no request at all. */
  private open(flags: number): Answer {
    if ((flags & ACCESS_MODE) !== 0) return 'EROFS';
    if ((this.agreed & INIT_FLAG.noOpenSupport) !== 0) return 'ENOSYS';
    return [encodeOpen(OPEN_FLAG.keepCache)];
  }

  private openDirectory(node: number): Answer {
    // What the kernel may keep is said for each directory, unless none of them changes.
    if (this.fileSystem.allFixed && (this.agreed & INIT_FLAG.noOpendirSupport) !== 0) return 'ENOSYS';
    return [encodeOpen(this.fileSystem.isFixed(node) ? OPEN_FLAG.keepCache | OPEN_FLAG.cacheDirectory : 0)];
  }

  private async xattr(node: number, name: string, size: number): Promise<Answer> {
    const found = (await this.fileSystem.xattrs(node)).find(([one]) => one === name);
    return found === undefined ? 'ENODATA' : sized(found[1], size);
  }

  private async xattrNames(node: number, size: number, isRoot: boolean): Promise<Answer> {
    const names = (await this.fileSystem.xattrs(node))
      .filter(([name]) => isRoot || !name.startsWith(ROOT_ONLY))
      .map(([name]) => `${name}\0`);
    return sized(Buffer.from(names.join(''), 'latin1'), size);
  }
}

/** A value, or how long it is when that is what was asked for. */
function sized(value: Uint8Array, size: number): Answer {
  if (size === 0) return [encodeXattrSize(value.length)];
  return value.length > size ? 'ERANGE' : [value];
}

const NO_ATTRIBUTES = {
  node: 0,
  size: 0,
  blocks: 0,
  mtimeNs: 0n,
  ctimeNs: 0n,
  mode: 0,
  links: 0,
  uid: 0,
  gid: 0,
  device: null,
} as const;
