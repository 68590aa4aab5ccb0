import { constants as fsConstants, linkSync } from 'node:fs';
import { CairnError, invariant } from '../errors.ts';
import type { ByteString } from './byte-path.ts';
import { fsPath } from './byte-path.ts';
import { cPath, errnoError, libc } from './libc.ts';

/** The two numbers of a device node. */
export interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

/** linux/kdev_t.h: the kernel keeps 12 bits of major and 20 bits of minor number. */
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xf_ffff;

/** `dev_t` as the C library's `makedev` builds it and `stat` reports it in `rdev`. Throws `LIMIT_EXCEEDED`. */
export function encodeDevice({ major, minor }: DeviceNumber): bigint {
  if (!fits(major, MAX_MAJOR) || !fits(minor, MAX_MINOR)) {
    throw new CairnError('LIMIT_EXCEEDED', `device number ${major}:${minor} is beyond ${MAX_MAJOR}:${MAX_MINOR}`);
  }
  return (BigInt(minor & ~0xff) << 12n) | (BigInt(major) << 8n) | BigInt(minor & 0xff);
}

function fits(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= max;
}

/** The inverse of `encodeDevice`: `gnu_dev_major` and `gnu_dev_minor` of the C library. */
export function decodeDevice(rdev: bigint | number): DeviceNumber {
  const device = BigInt(rdev);
  return {
    major: Number(((device >> 32n) & 0xffff_f000n) | ((device >> 8n) & 0xfffn)),
    minor: Number(((device >> 12n) & 0xffff_ff00n) | (device & 0xffn)),
  };
}

const NODE_KINDS: readonly number[] = [
  fsConstants.S_IFIFO,
  fsConstants.S_IFSOCK,
  fsConstants.S_IFCHR,
  fsConstants.S_IFBLK,
];

/**
 * Creates a FIFO, a socket's name, or a character or block device (these two need privilege and `device`). `mode` has
 * the kind in it, as `stat` gives it; the umask takes its part of the permissions, so set them again afterwards.
 * Throws a system error: EEXIST when anything, even a dangling link, is there.
 */
export function makeNode(path: ByteString, mode: number, device?: DeviceNumber): void {
  const kind = mode & fsConstants.S_IFMT;
  invariant(NODE_KINDS.includes(kind), 'makeNode makes FIFOs, sockets and devices only');
  const isDevice = kind === fsConstants.S_IFCHR || kind === fsConstants.S_IFBLK;
  invariant(isDevice === (device !== undefined), 'a device number goes with a device and with nothing else');
  const c = libc();
  if (c.mknod(cPath(path), mode, device === undefined ? 0n : encodeDevice(device)) < 0) {
    throw errnoError(c.errno(), 'mknod', path);
  }
}

/**
 * A further name for what `from` names; when that is a symbolic link, for the link itself. Linux `link(2)` does that,
 * and Node calls it; other systems follow the link. Throws a system error.
 */
export function linkNoFollow(from: ByteString, to: ByteString): void {
  linkSync(fsPath(from), fsPath(to));
}
