import type { JsonObject } from '../shapes/index.ts';

const COMMA = 0x2c;
const FIRST_BYTES = 64 * 1024;

/**
 * Items of a list as JSON text, encoded once and side by side: a page of the list is a part of this memory, which is not on the
 * JavaScript heap.
 */
export class JsonRows {
  readonly count: number;
  private readonly bytes: Buffer;
  /** Where each item begins; one more for the end. Behind each item is a comma. */
  private readonly starts: Uint32Array;

  constructor(bytes: Buffer, starts: Uint32Array) {
    this.count = starts.length - 1;
    this.bytes = bytes;
    this.starts = starts;
  }

  get memoryBytes(): number {
    return this.bytes.length + this.starts.byteLength;
  }

  /**
   * The items at these places as pieces of the inside of a JSON array: parts of this memory, nothing is copied.
   * @param order which item is at which place; undefined: each at its own.
   */
  page(order: Uint32Array | undefined, offset: number, limit: number): readonly Uint8Array[] {
    const end = Math.min(order?.length ?? this.count, offset + limit);
    if (offset >= end) return [];
    if (order === undefined) return [this.bytes.subarray(this.start(offset), this.start(end) - 1)];
    const last = end - offset - 1;
    return Array.from(order.subarray(offset, end), (item, i) =>
      this.bytes.subarray(this.start(item), this.start(item + 1) - (i === last ? 1 : 0)),
    );
  }

  private start(item: number): number {
    return this.starts[item] ?? 0;
  }
}

/** Puts rows together, one after the other. */
export class JsonRowsBuilder {
  private buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private length = 0;
  private readonly starts: number[] = [0];

  add(item: JsonObject): void {
    const text = JSON.stringify(item);
    // Three bytes for each character are enough for UTF-8 (RFC 3629, section 3), and the comma.
    this.reserve(3 * text.length + 1);
    this.length += this.buffer.write(text, this.length, 'utf8');
    this.buffer[this.length++] = COMMA;
    this.starts.push(this.length);
  }

  finish(): JsonRows {
    // Cut to its size: it stays for long.
    const bytes = Buffer.allocUnsafeSlow(this.length);
    this.buffer.copy(bytes, 0, 0, this.length);
    return new JsonRows(bytes, Uint32Array.from(this.starts));
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.length + bytes));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}

/** `{"NAME":[ROWS],…facts}`, in pieces. */
export function pageJson(name: string, rows: readonly Uint8Array[], facts: JsonObject): readonly Uint8Array[] {
  const rest = JSON.stringify(facts).slice(1);
  return [Buffer.from(`{${JSON.stringify(name)}:[`), ...rows, Buffer.from(rest === '}' ? ']}' : `],${rest}`)];
}
