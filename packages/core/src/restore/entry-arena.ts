/** Many short byte strings in one piece of memory: an object for each would take several times their length. */
export class EntryArena {
  private bytes = Buffer.allocUnsafeSlow(64 * 1024);
  private used = 0;

  /** Keeps a copy; gives where it is. */
  add(bytes: Uint8Array): number {
    const at = this.used;
    const end = at + bytes.length;
    if (end > this.bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, 2 * this.bytes.length));
      this.bytes.copy(grown, 0, 0, at);
      this.bytes = grown;
    }
    this.bytes.set(bytes, at);
    this.used = end;
    return at;
  }

  /** A view, valid until something is added. */
  view(at: number, length: number): Buffer {
    return this.bytes.subarray(at, at + length);
  }
}
