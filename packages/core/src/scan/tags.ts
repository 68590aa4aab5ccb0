/** Name of the file that marks a directory as a cache (Bryan Ford, "Cache Directory Tagging Specification"). */
export const CACHEDIR_TAG_NAME = 'CACHEDIR.TAG';

/** What such a file must begin with, or it marks nothing; 43 bytes of ASCII (same specification). */
export const CACHEDIR_TAG_SIGNATURE = 'Signature: 8a477f597d28d172789f06886806bc55';

const SIGNATURE_BYTES = Buffer.from(CACHEDIR_TAG_SIGNATURE, 'latin1');

/**
 * True when a file begins as a cache tag must. That it is a regular file named `CACHEDIR.TAG` is the caller's to see.
 * @param firstBytes at least the first 43 bytes, or all there are.
 */
export function isCacheDirTag(firstBytes: Uint8Array): boolean {
  return SIGNATURE_BYTES.equals(firstBytes.subarray(0, SIGNATURE_BYTES.length));
}
