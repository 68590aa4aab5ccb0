import type { SessionPublic } from '../crypto/chunk-crypto.ts';
import type { Capabilities } from '../crypto/capabilities.ts';
import type { RestorePolicy } from './metadata-writer.ts';
import type { PrivilegedKind, RestoreProblemKind } from './options.ts';
import type { TargetFailure } from './target-failure.ts';

/** What a unit runner needs, wherever it runs. Sent to worker threads as a message, never by argv or environment. */
export interface RunnerSetup {
  readonly keys: Pick<Capabilities, 'repo' | 'pkD' | 'pkM' | 'psk' | 'skD' | 'idData'>;
  readonly policy: RestorePolicy;
}

/** Numbers in each record of the tables of a unit. */
export const CHUNK_FIELDS = 6;
export const FILE_FIELDS = 4;
export const WRITE_FIELDS = 4;

/**
 * Chunks to open and what to write with each, in flat tables: a message of tens of thousands of small objects would take longer
 * to copy than the files to write.
 */
export interface WorkUnit {
  /** Sealed chunks, or plaintext when `opened`. */
  readonly bytes: Uint8Array;
  readonly opened: boolean;
  readonly sessions: readonly SessionPublic[];
  /** 32 bytes each. */
  readonly ids: Uint8Array;
  /** Offset in `bytes`, length there, length of the plaintext, session, number of files, number of writes. */
  readonly chunks: Uint32Array;
  /** Encoded tree entries, back to back. */
  readonly entries: Uint8Array;
  /** Files to make whole from the one chunk: descriptor of the directory, offset and length of the entry, 1 to tell identity. */
  readonly files: Int32Array;
  /** Parts to write into open files: descriptor, offset in the plaintext, length, offset in the file. */
  readonly writes: Float64Array;
}

/** What came of a unit. Files and writes are numbered over the whole unit; those not named went well. */
export interface UnitResult {
  /** Chunks that could not be opened: nothing was done for their files and writes. */
  readonly damaged: readonly { readonly chunk: number; readonly reason: string }[];
  readonly failedFiles: readonly { readonly file: number; readonly failure: TargetFailure }[];
  readonly failedWrites: readonly { readonly write: number; readonly failure: TargetFailure }[];
  readonly problems: readonly { readonly file: number; readonly kind: RestoreProblemKind; readonly reason: string }[];
  readonly notRestored: readonly PrivilegedKind[];
  readonly identities: readonly FileIdentity[];
  /** Files that took the place of something else. */
  readonly replaced: number;
}

/** What file was made under a name. */
export interface FileIdentity {
  readonly file: number;
  readonly device: number;
  readonly inode: bigint;
}
