import type { Capabilities } from '../crypto/capabilities.ts';
import type { ChunkType, SessionPublic } from '../crypto/chunk-crypto.ts';
import type { ErrorCode } from '../errors.ts';

/** A sealed chunk to open; its memory moves along. */
export interface OpenJob {
  readonly job: number;
  readonly type: ChunkType;
  readonly id: Uint8Array;
  readonly session: SessionPublic;
  readonly sealed: Uint8Array<ArrayBuffer>;
}

export type ToOpener = { readonly keys: Capabilities } | OpenJob;

/** Errors lose their class on the way between threads, so their parts are sent. */
export type FromOpener =
  | { readonly job: number; readonly plaintext: Uint8Array<ArrayBuffer> }
  | { readonly job: number; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined };
