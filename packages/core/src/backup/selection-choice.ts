import { constants } from 'node:fs';

import { systemErrorCode } from '../errors.ts';
import { closeFd, openAt, readAt, statAt } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { getInodeFlags, INODE_FLAG } from '../host/inode-flags.ts';
import type { ScannedEntry, Selection, SelectionDecision } from '../scan/selection.ts';
import { CACHEDIR_TAG_NAME, CACHEDIR_TAG_SIGNATURE } from '../scan/tags.ts';
import { ENTRY_KIND, type EntryKind } from '../tree/entry.ts';
import type { Candidate, Choice } from './source-walk.ts';

/** Something that a selection leaves out, or takes without all that is in it. */
export interface Excluded {
  /** Absolute, byte string. */
  readonly path: ByteString;
  readonly decision: Exclude<SelectionDecision, { action: 'take' }>;
}

const FILE_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** What says that there is nothing of that name, or that it is no regular file. */
const NO_FILE: readonly (string | undefined)[] = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENAMETOOLONG'];

/** Lets a selection choose what a walk takes. `onExcluded` hears of each thing that is left out, not of what is in it. */
export function choiceOf(
  selection: Selection,
  onExcluded: ((excluded: Excluded) => void) | undefined,
): (candidate: Candidate) => Choice {
  return (candidate) => {
    const decision = selection.decide(new WalkedCandidate(candidate));
    if (decision.action === 'take') return 'take';
    onExcluded?.({ path: candidate.path, decision });
    return decision.action === 'skip' ? 'skip' : { keep: decision.keep };
  };
}

/** A candidate as a selection looks at it. What cannot be looked at decides nothing: taking it reports why. */
class WalkedCandidate implements ScannedEntry {
  private readonly candidate: Candidate;

  constructor(candidate: Candidate) {
    this.candidate = candidate;
  }

  get path(): ByteString {
    return this.candidate.path;
  }

  get kind(): EntryKind {
    return this.candidate.status.kind;
  }

  get size(): number {
    return this.candidate.status.size;
  }

  get device(): number {
    return this.candidate.status.device;
  }

  get parentDevice(): number {
    return this.candidate.parentDevice;
  }

  hasNodump(): boolean {
    const { candidate } = this;
    if (candidate.status.kind === ENTRY_KIND.directory) return isNodump(candidate.directoryFd());
    const name = candidate.path.slice(candidate.path.lastIndexOf('/') + 1);
    const fd = openIfReadable(candidate.parentFd, name);
    if (fd === undefined) return false;
    try {
      return isNodump(fd);
    } finally {
      closeFd(fd);
    }
  }

  probe(name: ByteString): boolean {
    return holds(this.candidate.directoryFd(), name);
  }

  readCacheTag(): Uint8Array | undefined {
    return cacheTagIn(this.candidate.directoryFd());
  }
}

function isNodump(fd: number): boolean {
  return ((getInodeFlags(fd) ?? 0) & INODE_FLAG.noDump) !== 0;
}

/** True when the directory has something of that name. Throws a system error. */
export function holds(directoryFd: number, name: ByteString): boolean {
  try {
    statAt(directoryFd, name);
    return true;
  } catch (error) {
    if (NO_FILE.includes(systemErrorCode(error))) return false;
    throw error;
  }
}

/** The beginning of the directory's cache tag; undefined when there is none that can be read. */
export function cacheTagIn(directoryFd: number): Uint8Array | undefined {
  const fd = openIfReadable(directoryFd, CACHEDIR_TAG_NAME);
  if (fd === undefined) return undefined;
  try {
    const bytes = Buffer.alloc(CACHEDIR_TAG_SIGNATURE.length);
    return bytes.subarray(0, readAt(fd, bytes, 0));
  } catch (error) {
    // A directory of that name.
    if (systemErrorCode(error) === 'EISDIR') return undefined;
    throw error;
  } finally {
    closeFd(fd);
  }
}

/** Undefined when there is no such file, or when this account may not read it: backing it up says so. */
export function openIfReadable(directoryFd: number, name: ByteString): number | undefined {
  try {
    return openAt(directoryFd, name, FILE_FLAGS);
  } catch (error) {
    const code = systemErrorCode(error);
    if (NO_FILE.includes(code) || code === 'EACCES' || code === 'EPERM') return undefined;
    throw error;
  }
}
