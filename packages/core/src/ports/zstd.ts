/** Zstandard frames (RFC 8878). Implementations differ in the bytes they make, never in what those bytes mean. */
export interface Zstd {
  readonly name: string;
  /** One frame holding `source`. The result may be a view of memory that the next call reuses. */
  compress(source: Uint8Array, level: number): Uint8Array;
  /**
   * The content of one frame, in memory of its own, or undefined when `frame` is not one frame of exactly `length` bytes.
   * Never produces more than `length` bytes, whatever the frame claims.
   */
  decompress(frame: Uint8Array, length: number): Uint8Array | undefined;
}
