/** What the thread that reads requests is given. */
export interface RequestThreadData {
  /** An open `/dev/fuse`. */
  readonly device: number;
  /** Of the longest request. */
  readonly bufferBytes: number;
  /** `PlainNodes.shared`. */
  readonly plainNodes: SharedArrayBuffer;
}

/** What the thread that reads requests sends: a request, or that there will be no more. */
export type FromRequestThread =
  { readonly request: Uint8Array<ArrayBuffer> } | { readonly ended: true } | { readonly failed: string };
