import { MsgpackReader, MsgpackWriter } from '../codec/msgpack.ts';
import type { ChunkerParameters } from '../chunker/fastcdc.ts';
import { toHex } from '../ids.ts';
import { LIMITS } from '../limits.ts';

/** How large an archive is, and what it added to the repository. */
export interface ArchiveStats {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  /** Bytes of content of all files, holes included. */
  readonly bytes: number;
  /** Bytes of plaintext that no pack held before. */
  readonly newBytes: number;
  /** Bytes that the new chunks take, sealed. */
  readonly storedBytes: number;
  readonly chunks: number;
  readonly newChunks: number;
}

/** What a COMMIT says about its archive (format page, section 4.7). */
export interface ArchiveDescriptor {
  /** 16 random bytes. */
  readonly id: Uint8Array;
  readonly series: string;
  readonly name: string;
  readonly host: string;
  readonly user: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Absolute source paths, bytes. */
  readonly paths: readonly Uint8Array[];
  /** The tree entry of `/`. */
  readonly root: Uint8Array;
  readonly stats: ArchiveStats;
  /** What was left out or is doubtful: kind and count. */
  readonly warnings: readonly (readonly [kind: string, count: number])[];
  readonly chunkerData: ChunkerParameters;
  readonly chunkerTree: ChunkerParameters;
  readonly parent: Uint8Array | null;
  readonly complete: boolean;
  readonly program: string;
  readonly tags: readonly string[];
  readonly comment: string;
}

/** How `program` ends in the descriptor of an archive that was made from another archive, its `parent`. */
const REWRITTEN = ' (rewritten)';

/** The descriptor of an archive that is made from another one: what made it, and from which (32 hex digits). */
export function rewritten(program: string, origin: string): Pick<ArchiveDescriptor, 'program' | 'parent'> {
  return { program: `${program}${REWRITTEN}`, parent: Buffer.from(origin, 'hex') };
}

/** The archive (32 hex digits) that this one was made from, or undefined when it was made from files. */
export function originOf({ program, parent }: Pick<ArchiveDescriptor, 'program' | 'parent'>): string | undefined {
  return parent !== null && program.endsWith(REWRITTEN) ? toHex(parent) : undefined;
}

const FIELDS = 18;

export function encodeDescriptor(descriptor: ArchiveDescriptor): Uint8Array {
  const writer = new MsgpackWriter();
  const { stats, chunkerData: data, chunkerTree: tree } = descriptor;
  writer.array(FIELDS);
  writer.bin(descriptor.id);
  writer.str(descriptor.series);
  writer.str(descriptor.name);
  writer.str(descriptor.host);
  writer.str(descriptor.user);
  writer.int64(descriptor.startNs);
  writer.int64(descriptor.endNs);
  writer.value(descriptor.paths);
  writer.bin(descriptor.root);
  writer.value([
    stats.files,
    stats.directories,
    stats.others,
    stats.bytes,
    stats.newBytes,
    stats.storedBytes,
    stats.chunks,
    stats.newChunks,
  ]);
  writer.value(descriptor.warnings);
  writer.value([data.min, data.average, data.max]);
  writer.value([tree.min, tree.average, tree.max]);
  writer.value(descriptor.parent);
  writer.bool(descriptor.complete);
  writer.str(descriptor.program);
  writer.value(descriptor.tags);
  writer.str(descriptor.comment);
  return Buffer.from(writer.view());
}

/** Rejects with `CORRUPT` when the bytes are not a descriptor. */
export function decodeDescriptor(bytes: Uint8Array, what: string): ArchiveDescriptor {
  const reader = new MsgpackReader(bytes, what);
  reader.tuple(FIELDS);
  const descriptor = {
    id: reader.fixed(16),
    series: reader.str(),
    name: reader.str(),
    host: reader.str(),
    user: reader.str(),
    startNs: reader.i64(),
    endNs: reader.i64(),
    paths: reader.list((r) => Buffer.from(r.bin())),
    root: Buffer.from(reader.bin()),
    stats: readStats(reader),
    warnings: reader.list((r) => {
      r.tuple(2);
      return [r.str(), r.uint()] as const;
    }),
    chunkerData: readChunker(reader),
    chunkerTree: readChunker(reader),
    parent: reader.nil() ? null : reader.fixed(16),
    complete: reader.bool(),
    program: reader.str(),
    tags: reader.list((r) => r.str()),
    comment: reader.str(),
  };
  reader.finish();
  return descriptor;
}

function readStats(reader: MsgpackReader): ArchiveStats {
  reader.tuple(8);
  return {
    files: reader.uint(),
    directories: reader.uint(),
    others: reader.uint(),
    bytes: reader.uint(),
    newBytes: reader.uint(),
    storedBytes: reader.uint(),
    chunks: reader.uint(),
    newChunks: reader.uint(),
  };
}

/** `[min, average, max]` with 1024 ≤ min ≤ average ≤ max ≤ 8 MiB. */
export function readChunker(reader: MsgpackReader): ChunkerParameters {
  reader.tuple(3);
  const [min, average, max] = [reader.uint(), reader.uint(), reader.uint()];
  if (min < LIMITS.chunkerMinBytes || average < min || max < average || max > LIMITS.chunkBytes) {
    reader.fail('chunker parameters cannot be');
  }
  return { min, average, max };
}
