/** Bytes of a larger piece of memory that may move along with a part of it. Less than what Node's pool of small pieces has. */
const SLACK_BYTES = 64;
const POOLED_BYTES = 8192;

/**
 * The same bytes, one part after the other, in memory that nobody else has a part of, so that it can move to another thread. A
 * single part that is all of its memory, or nearly so, is given as it is: opened chunks lie behind their header.
 */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const [only] = parts;
  const memory = only === undefined || parts.length > 1 ? undefined : ownMemory(only);
  if (only !== undefined && memory !== undefined) return new Uint8Array(memory, only.byteOffset, only.byteLength);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  // Beside a tiny part, a large one would look as if all of the memory were its own.
  const room = parts.length > 1 ? SLACK_BYTES + 1 : 0;
  const all = new Uint8Array(new ArrayBuffer(length + room), 0, length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The memory that these bytes are all of, or nearly so; undefined when something else may lie in it. */
export function ownMemory({ buffer, byteLength }: Uint8Array): ArrayBuffer | undefined {
  const slack = buffer.byteLength - byteLength;
  const isOwn = (slack === 0 && byteLength > 0) || (slack <= SLACK_BYTES && byteLength > POOLED_BYTES);
  return buffer instanceof ArrayBuffer && isOwn ? buffer : undefined;
}
