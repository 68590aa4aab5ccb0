import { readlinkSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { displayName, fsPath } from '../host/byte-path.ts';
import type { ByteString } from '../host/byte-path.ts';
import { decodeDevice } from '../host/file-nodes.ts';
import { getInodeFlagsOf } from '../host/inode-flags.ts';
import { readXattrs } from '../host/xattrs.ts';
import { firstDifference } from './compare-contents.ts';

/** What is compared besides names and kinds. `content` includes the size; `allocation` is compared on request only. */
export type Attribute =
  'mode' | 'owner' | 'mtime' | 'content' | 'target' | 'device' | 'xattrs' | 'flags' | 'links' | 'allocation';

/** One of the two entries of a pair. */
export interface Side {
  readonly path: ByteString;
  readonly stats: BigIntStats;
}

type Comparison = (a: Side, b: Side) => string | undefined;

export function kindOf(stats: BigIntStats): string {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isSocket()) return 'socket';
  return stats.isCharacterDevice() ? 'character device' : 'block device';
}

function unequal(what: string, a: string | bigint | number, b: string | bigint | number): string | undefined {
  return a === b ? undefined : `${what} ${a} != ${b}`;
}

function octalMode(stats: BigIntStats): string {
  return (stats.mode & 0o7777n).toString(8).padStart(4, '0');
}

function target(side: Side): string {
  return displayName(readlinkSync(fsPath(side.path), { encoding: 'latin1' }));
}

function device(side: Side): string {
  const { major, minor } = decodeDevice(side.stats.rdev);
  return `${major}:${minor}`;
}

function isDevice(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() || stats.isBlockDevice();
}

const compareContent: Comparison = (a, b) => {
  if (!a.stats.isFile()) return undefined;
  if (a.stats.size !== b.stats.size) return unequal('size', a.stats.size, b.stats.size);
  const offset = firstDifference(a.path, b.path, Number(a.stats.size));
  return offset === undefined ? undefined : `content differs at byte ${offset}`;
};

const compareXattrs: Comparison = (a, b) => {
  const inA = new Map(readXattrs(a.path).map(({ name, value }) => [name, value]));
  const inB = new Map(readXattrs(b.path).map(({ name, value }) => [name, value]));
  const differing = [...new Set([...inA.keys(), ...inB.keys()])].filter((name) => {
    const value = inA.get(name);
    const other = inB.get(name);
    return value === undefined || other === undefined || !value.equals(other);
  });
  const describe = (name: ByteString) => {
    const length = (value: Buffer | undefined) => (value === undefined ? 'missing' : `${value.length} bytes`);
    return `${displayName(name)} (${length(inA.get(name))}, ${length(inB.get(name))})`;
  };
  return differing.length === 0 ? undefined : `xattrs differ: ${differing.map(describe).join(', ')}`;
};

const compareFlags: Comparison = (a, b) => {
  if (!a.stats.isFile() && !a.stats.isDirectory()) return undefined;
  const hex = (flags: number | undefined) => (flags === undefined ? 'none' : `0x${flags.toString(16)}`);
  return unequal('flags', hex(getInodeFlagsOf(a.path)), hex(getInodeFlagsOf(b.path)));
};

/** Comparisons of one pair of entries of the same kind, each a sentence on what differs, or undefined. */
export const COMPARISONS: Readonly<Record<Exclude<Attribute, 'links' | 'allocation'>, Comparison>> = {
  mode: (a, b) => unequal('mode', octalMode(a.stats), octalMode(b.stats)),
  owner: (a, b) => unequal('owner', `${a.stats.uid}:${a.stats.gid}`, `${b.stats.uid}:${b.stats.gid}`),
  mtime: (a, b) => unequal('mtime', a.stats.mtimeNs, b.stats.mtimeNs),
  content: compareContent,
  target: (a, b) => (a.stats.isSymbolicLink() ? unequal('target', target(a), target(b)) : undefined),
  device: (a, b) => (isDevice(a.stats) ? unequal('device', device(a), device(b)) : undefined),
  xattrs: compareXattrs,
  flags: compareFlags,
};
