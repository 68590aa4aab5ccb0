/** Bytes of standard error that a failure tells. */
const TAIL_BYTES = 2_048;

/** The last bytes of what a program writes, as text. */
export class TextTail {
  private bytes = Buffer.alloc(0);
  private cut = false;

  add(piece: Uint8Array): void {
    const joined = Buffer.concat([this.bytes, piece]);
    this.cut ||= joined.length > TAIL_BYTES;
    this.bytes = Buffer.from(joined.subarray(-TAIL_BYTES));
  }

  /** Without the line whose beginning is lost. */
  text(): string {
    const text = this.bytes.toString('utf8');
    return (this.cut ? text.slice(text.indexOf('\n') + 1) : text).trim();
  }
}
