/**
 * Overwrites key material that is no longer needed. The best that can be done here: strings and copies that the engine
 * made stay until they are collected.
 */
export function wipe(...buffers: readonly Uint8Array[]): void {
  for (const buffer of buffers) buffer.fill(0);
}
