import type { Capabilities } from '../crypto/capabilities.ts';
import type { ChunkType, SessionPublic } from '../crypto/chunk-crypto.ts';
import type { ErrorCode } from '../errors.ts';
import type { FilePart } from '../pack/chunk-reader.ts';

/** A sealed chunk to open. */
export interface OpenJob {
  readonly job: number;
  readonly type: ChunkType;
  readonly id: Uint8Array;
  readonly session: SessionPublic;
  /** Where it is, or how many of the bytes of its message it takes. */
  readonly from: FilePart | number;
}

/** Sealed chunks, one after the other; their memory moves along. */
export interface OpenJobs {
  readonly jobs: readonly OpenJob[];
  /** False: nobody waits for them yet, and more will follow. */
  readonly urgent: boolean;
  readonly sealed: Uint8Array<ArrayBuffer>;
}

/** A pack of which much will be read soon. */
export interface PackSoon {
  readonly soon: string;
}

export type ToOpener = { readonly keys: Capabilities } | PackSoon | OpenJobs;

/** Errors lose their class on the way between threads, so their parts are sent. */
export type Opened =
  | { readonly job: number; readonly length: number }
  | { readonly job: number; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined };

/** What became of the chunks of one message: plaintexts lie one after the other. */
export interface FromOpener {
  readonly opened: readonly Opened[];
  readonly plaintext: Uint8Array<ArrayBuffer>;
}
