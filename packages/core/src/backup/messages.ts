import type { Capabilities } from '../crypto/capabilities.ts';
import type { SessionPublic, SessionSecrets } from '../crypto/chunk-crypto.ts';
import type { ChunkerParameters } from '../chunker/fastcdc.ts';
import type { ErrorCode } from '../errors.ts';
import type { SharedIndex } from '../index/index-lookup.ts';
import type { BuiltPack } from '../pack/builder.ts';
import type { FileStatus } from '../host/at-calls.ts';
import type { SourceTrouble } from './source-errors.ts';

/** What a content processor needs, wherever it runs. Sent to worker threads as a message, never by argv or environment. */
export interface ProcessorSetup {
  readonly keys: Pick<Capabilities, 'repo' | 'pkD' | 'pkM' | 'loc' | 'idData' | 'idMeta'>;
  readonly session: SessionSecrets;
  readonly gearTable: Int32Array;
  readonly chunkerData: ChunkerParameters;
  readonly compressionLevel: number;
  readonly index: SharedIndex;
  readonly claims: SharedArrayBuffer;
  /** Packs that each thread may have on their way to the store. */
  readonly packsUnderWay: number;
  /** One 32-bit word. Not 0: the run is over, and every job ends at its next chunk. */
  readonly stop: SharedArrayBuffer;
  /** Opens the chunks of `sealed` jobs: of the repository that they come from. */
  readonly source?: SourceSetup;
}

/** What taking over chunks of another repository takes. */
export interface SourceSetup {
  readonly keys: Pick<Capabilities, 'repo' | 'pkD' | 'pkM' | 'psk' | 'skD' | 'idData'>;
  /** Compress anew; otherwise what was compressed there stays so. */
  readonly recompress: boolean;
}

/** Sealed chunks of another repository, as they lie in a pack. */
export interface SealedChunks {
  /** Given to the thread that takes them over. */
  readonly bytes: Uint8Array;
  /** `SEALED_FIELDS` numbers for each chunk: where in `bytes` it begins, its length there, its plain length, its session. */
  readonly places: Uint32Array;
  /** 32 bytes for each chunk. */
  readonly ids: Uint8Array;
  readonly sessions: readonly SessionPublic[];
}

export const SEALED_FIELDS = 4;

/** One file to read whole: small enough that spreading its chunks over threads would not pay. */
export interface FileTask {
  readonly directoryFd: number;
  /** Byte string. */
  readonly name: string;
  /** As the walk saw it. */
  readonly status: SeenStatus;
}

/** What tells that a file is still the one that the walk saw, unchanged. */
export type SeenStatus = Pick<FileStatus, 'inode' | 'device' | 'size' | 'mtimeNs' | 'ctimeNs'>;

/** What there is to say about a file besides its content. */
export type FileDetail =
  | {
      readonly ok: true;
      readonly holes: readonly (readonly [number, number])[] | null;
      readonly xattrs: readonly (readonly [string, Uint8Array])[] | null;
      readonly flags: number | null;
      /** Set when the file is no longer as the walk saw it. */
      readonly status?: FileStatus;
      /** It changed between opening and closing. */
      readonly changed: boolean;
    }
  | { readonly ok: false; readonly trouble: SourceTrouble };

/** Files to read, packed into few values because a hundred thousand of them cross between threads. */
export interface PackedFiles {
  /** Names joined by slashes. */
  readonly names: string;
  /** For each file: inode, mtime, ctime. */
  readonly times: BigInt64Array;
  /** For each file: directory descriptor, device, size. */
  readonly numbers: Float64Array;
}

/** What reading gave, in the order of the files. */
export interface PackedContents {
  /** How many level-0 records each file has. */
  readonly counts: Uint32Array;
  /** The records of all files, back to back. */
  readonly records: Uint8Array;
  /** Of those files that have more to say than that they are unchanged and have no attributes: position and detail. */
  readonly details: readonly (readonly [index: number, detail: FileDetail])[];
}

export function packFiles(tasks: readonly FileTask[]): PackedFiles {
  const times = new BigInt64Array(3 * tasks.length);
  const numbers = new Float64Array(3 * tasks.length);
  tasks.forEach(({ directoryFd, status }, i) => {
    times[3 * i] = BigInt.asIntN(64, status.inode);
    times[3 * i + 1] = status.mtimeNs;
    times[3 * i + 2] = status.ctimeNs;
    numbers[3 * i] = directoryFd;
    numbers[3 * i + 1] = status.device;
    numbers[3 * i + 2] = status.size;
  });
  return { names: tasks.map((task) => task.name).join('/'), times, numbers };
}

export function unpackFiles({ names, times, numbers }: PackedFiles): FileTask[] {
  return names.split('/').map((name, i) => ({
    name,
    directoryFd: numbers[3 * i] as number,
    status: {
      inode: BigInt.asUintN(64, times[3 * i] as bigint),
      mtimeNs: times[3 * i + 1] as bigint,
      ctimeNs: times[3 * i + 2] as bigint,
      device: numbers[3 * i + 1] as number,
      size: numbers[3 * i + 2] as number,
    },
  }));
}

/** A part of a large file: its content (holes left out) from `position` on. */
export interface ContentRange {
  readonly position: number;
  readonly length: number;
}

export type Job =
  | { readonly kind: 'files'; readonly files: PackedFiles }
  | {
      /** Find the chunk ends in up to `budget` bytes of content from `position` on. */
      readonly kind: 'cut';
      readonly fd: number;
      readonly holes: readonly (readonly [number, number])[];
      readonly position: number;
      readonly end: number;
      readonly budget: number;
    }
  | {
      readonly kind: 'store';
      readonly fd: number;
      readonly holes: readonly (readonly [number, number])[];
      readonly ranges: readonly ContentRange[];
    }
  | {
      /** Store chunks that lie back to back. The memory is given to the thread that does it. */
      readonly kind: 'chunks';
      readonly bytes: Uint8Array;
      readonly lengths: readonly number[];
    }
  | ({ readonly kind: 'sealed' } & SealedChunks);

export type JobResult =
  | { readonly kind: 'files'; readonly contents: PackedContents }
  | { readonly kind: 'cut'; readonly lengths: readonly number[] }
  | {
      readonly kind: 'store';
      /**
       * Level-0 records in the order of the ranges or chunks; shorter than asked when the file shrank. Of a sealed chunk that is
       * damaged all bytes of the record are 0.
       */
      readonly records: Uint8Array;
    };

/** What a processor has done since its start. */
export interface ContentCounts {
  readonly newBytes: number;
  readonly storedBytes: number;
  readonly chunks: number;
  readonly newChunks: number;
}

export type ToWorker =
  | { readonly type: 'setup'; readonly setup: ProcessorSetup }
  | { readonly type: 'job'; readonly id: number; readonly job: Job }
  | { readonly type: 'pack-stored'; readonly name: string; readonly memory: ArrayBuffer }
  | { readonly type: 'flush' }
  | { readonly type: 'stop' };

export type FromWorker =
  | { readonly type: 'done'; readonly id: number; readonly result: JobResult; readonly counts: ContentCounts }
  | { readonly type: 'pack'; readonly pack: BuiltPack }
  | { readonly type: 'flushed'; readonly counts: ContentCounts }
  | { readonly type: 'stopped' }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string; readonly hint?: string };
