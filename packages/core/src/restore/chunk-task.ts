import type { SessionPublic } from '../crypto/chunk-crypto.ts';
import type { IndexedPack } from '../index/segment.ts';
import type { ChunkUse } from './pending-entry.ts';
import type { PackRead } from './read-plan.ts';

/** A chunk, or none, and what is done with it. */
export interface ChunkTask {
  /** All of the same chunk; one at least. */
  readonly uses: readonly ChunkUse[];
  readonly session: SessionPublic | undefined;
  /** Sealed, or plaintext in a unit of opened chunks; undefined when there is no chunk. */
  readonly bytes: Uint8Array | undefined;
}

/** The chunks of a read, each with all its uses. */
export function tasksOf(read: PackRead, pack: IndexedPack | undefined, bytes: Uint8Array | undefined): ChunkTask[] {
  const tasks: ChunkTask[] = [];
  let uses: ChunkUse[] = [];
  for (const use of read.uses) {
    const [first] = uses;
    if (first !== undefined && first.offset === use.offset && sameId(first, use)) {
      uses.push(use);
      continue;
    }
    uses = [use];
    const start = use.offset - read.offset;
    const sealed = bytes?.subarray(start, start + use.storedLength);
    tasks.push({ uses, session: pack?.sessions[use.session], bytes: sealed });
  }
  return tasks;
}

function sameId(a: ChunkUse, b: ChunkUse): boolean {
  return a.id !== undefined && b.id !== undefined && Buffer.compare(a.id, b.id) === 0;
}

/** The task of one use of a chunk that is not read yet, or of a file without content. */
export function taskOf(use: ChunkUse): ChunkTask {
  return { uses: [use], session: undefined, bytes: undefined };
}

/** True when the file that the chunk is for has failed. */
export function isAbandoned({ part }: ChunkUse): boolean {
  return part !== undefined && part.file.failure !== undefined;
}
