/** The same numbers with room for `length` of them; the new ones are 0. */
export function grown(before: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const after = new Uint32Array(length);
  after.set(before);
  return after;
}
