import { CairnError, invariant } from '../errors.ts';
import { LIMITS } from '../limits.ts';

const INT64_MAX = 0x7fff_ffff_ffff_ffffn;

/** The values of the format's MessagePack subset. Integers within ±2^53 are numbers when decoded, others bigints. */
export type Value = null | boolean | number | bigint | string | Uint8Array | readonly Value[];

/**
 * Writes canonical MessagePack: every value in its shortest form (format page, section 1). Grows by doubling; `reset` keeps
 * the buffer, so one writer serves a whole run.
 */
export class MsgpackWriter {
  private buffer: Buffer;
  private length = 0;

  constructor(capacity = 1024) {
    this.buffer = Buffer.allocUnsafe(capacity);
  }

  /** The bytes written since `reset`. A view: valid until the next write or reset. */
  view(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  get size(): number {
    return this.length;
  }

  reset(): void {
    this.length = 0;
  }

  private reserve(bytes: number): number {
    const at = this.length;
    if (at + bytes > this.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, at + bytes));
      this.buffer.copy(grown, 0, 0, at);
      this.buffer = grown;
    }
    this.length = at + bytes;
    return at;
  }

  private byte(value: number): void {
    const at = this.reserve(1);
    this.buffer[at] = value;
  }

  nil(): void {
    this.byte(0xc0);
  }

  bool(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2);
  }

  /** A JavaScript integer; beyond ±2^53 use `int64`. */
  int(value: number): void {
    invariant(Number.isSafeInteger(value), 'msgpack integers are safe integers or bigints');
    if (value >= 0) {
      if (value < 0x80) this.byte(value);
      else if (value < 0x100) {
        const at = this.reserve(2);
        this.buffer[at] = 0xcc;
        this.buffer[at + 1] = value;
      } else if (value < 0x10000) {
        const at = this.reserve(3);
        this.buffer[at] = 0xcd;
        this.buffer.writeUInt16BE(value, at + 1);
      } else if (value < 0x1_0000_0000) {
        const at = this.reserve(5);
        this.buffer[at] = 0xce;
        this.buffer.writeUInt32BE(value, at + 1);
      } else {
        const at = this.reserve(9);
        this.buffer[at] = 0xcf;
        this.buffer.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at + 1);
        this.buffer.writeUInt32BE(value >>> 0, at + 5);
      }
    } else if (value >= -32) this.byte(0x100 + value);
    else if (value >= -0x80) {
      const at = this.reserve(2);
      this.buffer[at] = 0xd0;
      this.buffer.writeInt8(value, at + 1);
    } else if (value >= -0x8000) {
      const at = this.reserve(3);
      this.buffer[at] = 0xd1;
      this.buffer.writeInt16BE(value, at + 1);
    } else if (value >= -0x8000_0000) {
      const at = this.reserve(5);
      this.buffer[at] = 0xd2;
      this.buffer.writeInt32BE(value, at + 1);
    } else {
      const at = this.reserve(9);
      this.buffer[at] = 0xd3;
      this.buffer.writeBigInt64BE(BigInt(value), at + 1);
    }
  }

  /** Any integer from −2^63 to 2^64−1. */
  int64(value: bigint): void {
    if (value >= -0x8000_0000n && value < 0x1_0000_0000n) {
      this.int(Number(value));
      return;
    }
    const at = this.reserve(9);
    if (value >= 0n) {
      this.buffer[at] = 0xcf;
      this.buffer.writeBigUInt64BE(value, at + 1);
    } else {
      this.buffer[at] = 0xd3;
      this.buffer.writeBigInt64BE(value, at + 1);
    }
  }

  str(value: string): void {
    const size = Buffer.byteLength(value);
    if (size < 32) this.byte(0xa0 | size);
    else this.sized(0xd9, size);
    const at = this.reserve(size);
    this.buffer.write(value, at, 'utf8');
  }

  bin(value: Uint8Array): void {
    this.sized(0xc4, value.length);
    const at = this.reserve(value.length);
    this.buffer.set(value, at);
  }

  /** A byte string (one character, one byte) as `bin`. */
  binLatin1(value: string): void {
    this.sized(0xc4, value.length);
    const at = this.reserve(value.length);
    this.buffer.write(value, at, 'latin1');
  }

  /** Announces an array; its items follow as `length` further values. */
  array(length: number): void {
    if (length < 16) this.byte(0x90 | length);
    else if (length < 0x10000) {
      const at = this.reserve(3);
      this.buffer[at] = 0xdc;
      this.buffer.writeUInt16BE(length, at + 1);
    } else {
      const at = this.reserve(5);
      this.buffer[at] = 0xdd;
      this.buffer.writeUInt32BE(length, at + 1);
    }
  }

  /** Bytes that are canonical MessagePack already. */
  raw(bytes: Uint8Array): void {
    const at = this.reserve(bytes.length);
    this.buffer.set(bytes, at);
  }

  value(value: Value): void {
    if (value === null) this.nil();
    else if (typeof value === 'boolean') this.bool(value);
    else if (typeof value === 'number') this.int(value);
    else if (typeof value === 'bigint') this.int64(value);
    else if (typeof value === 'string') this.str(value);
    else if (value instanceof Uint8Array) this.bin(value);
    else {
      this.array(value.length);
      for (const item of value) this.value(item);
    }
  }

  /** Length prefix of `str8/16/32` or `bin8/16/32`; `first` is the one-byte form's tag. */
  private sized(first: number, size: number): void {
    if (size < 0x100) {
      const at = this.reserve(2);
      this.buffer[at] = first;
      this.buffer[at + 1] = size;
    } else if (size < 0x10000) {
      const at = this.reserve(3);
      this.buffer[at] = first + 1;
      this.buffer.writeUInt16BE(size, at + 1);
    } else {
      const at = this.reserve(5);
      this.buffer[at] = first + 2;
      this.buffer.writeUInt32BE(size, at + 1);
    }
  }
}

/** One value as canonical MessagePack, in bytes of its own. */
export function encodeMsgpack(value: Value): Buffer {
  const writer = new MsgpackWriter();
  writer.value(value);
  return Buffer.from(writer.view());
}

/**
 * Reads canonical MessagePack from authenticated bytes. Every length is checked against what is left before anything is
 * allocated; nesting and the number of items are bounded; a longer form than needed is refused, so what decodes encodes to
 * the same bytes. All methods reject with `CORRUPT`.
 */
export class MsgpackReader {
  private readonly bytes: Buffer;
  private readonly end: number;
  private readonly what: string;
  private at: number;
  private items = 0;

  constructor(bytes: Uint8Array, what: string, start = 0, end = bytes.length) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = start;
    this.end = end;
    this.what = what;
  }

  get position(): number {
    return this.at;
  }

  fail(reason: string): never {
    throw new CairnError('CORRUPT', `${this.what} does not parse: ${reason} at byte ${this.at}`);
  }

  /** Rejects unless everything was read. */
  finish(): void {
    if (this.at !== this.end) this.fail('bytes are left over');
  }

  private take(count: number): number {
    const at = this.at;
    if (count > this.end - at) this.fail('it ends too early');
    this.at = at + count;
    return at;
  }

  private tag(): number {
    return this.bytes[this.take(1)] ?? 0;
  }

  private peek(): number {
    if (this.at >= this.end) this.fail('it ends too early');
    return this.bytes[this.at] ?? 0;
  }

  /** True, and the nil is consumed, when the next value is nil. */
  nil(): boolean {
    if (this.peek() !== 0xc0) return false;
    this.at += 1;
    return true;
  }

  bool(): boolean {
    const tag = this.tag();
    if (tag !== 0xc2 && tag !== 0xc3) this.fail('a boolean was expected');
    return tag === 0xc3;
  }

  /** An integer within ±2^53. */
  int(): number {
    const tag = this.tag();
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    let value: number;
    switch (tag) {
      case 0xcc:
        value = this.bytes[this.take(1)] ?? 0;
        if (value < 0x80) this.fail('an integer is not in its shortest form');
        return value;
      case 0xcd:
        value = this.bytes.readUInt16BE(this.take(2));
        if (value < 0x100) this.fail('an integer is not in its shortest form');
        return value;
      case 0xce:
        value = this.bytes.readUInt32BE(this.take(4));
        if (value < 0x10000) this.fail('an integer is not in its shortest form');
        return value;
      case 0xd0:
        value = this.bytes.readInt8(this.take(1));
        if (value >= -32) this.fail('an integer is not in its shortest form');
        return value;
      case 0xd1:
        value = this.bytes.readInt16BE(this.take(2));
        if (value >= -0x80) this.fail('an integer is not in its shortest form');
        return value;
      case 0xd2:
        value = this.bytes.readInt32BE(this.take(4));
        if (value >= -0x8000) this.fail('an integer is not in its shortest form');
        return value;
      case 0xcf:
      case 0xd3: {
        this.at -= 1;
        const wide = Number(this.wide());
        if (!Number.isSafeInteger(wide)) this.fail('an integer is too large');
        return wide;
      }
      default:
        return this.fail('an integer was expected');
    }
  }

  /** An integer from 0 to `most`. */
  uint(most: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.int();
    if (value < 0 || value > most) this.fail('an integer is out of range');
    return value;
  }

  /** From −2^63 to 2^63−1: what every time of the format is. */
  i64(): bigint {
    const value = this.wide();
    if (value > INT64_MAX) this.fail('an integer is out of range');
    return value;
  }

  /** From 0 to 2^64−1. */
  u64(): bigint {
    const value = this.wide();
    if (value < 0n) this.fail('an integer is out of range');
    return value;
  }

  private wide(): bigint {
    const tag = this.peek();
    if (tag === 0xcf) {
      this.at += 1;
      const value = this.bytes.readBigUInt64BE(this.take(8));
      if (value < 0x1_0000_0000n) this.fail('an integer is not in its shortest form');
      return value;
    }
    if (tag === 0xd3) {
      this.at += 1;
      const value = this.bytes.readBigInt64BE(this.take(8));
      if (value >= -0x8000_0000n) this.fail('an integer is not in its shortest form');
      return value;
    }
    return BigInt(this.int());
  }

  private sized(first: number, tag: number, kind: string): number {
    let size: number;
    if (tag === first) size = this.bytes[this.take(1)] ?? 0;
    else if (tag === first + 1) {
      size = this.bytes.readUInt16BE(this.take(2));
      if (size < 0x100) this.fail('a length is not in its shortest form');
    } else if (tag === first + 2) {
      size = this.bytes.readUInt32BE(this.take(4));
      if (size < 0x10000) this.fail('a length is not in its shortest form');
    } else return this.fail(`${kind} was expected`);
    return size;
  }

  str(): string {
    const tag = this.tag();
    let size: number;
    if (tag >= 0xa0 && tag < 0xc0) size = tag & 0x1f;
    else {
      size = this.sized(0xd9, tag, 'a string');
      if (size < 32) this.fail('a length is not in its shortest form');
    }
    const at = this.take(size);
    const text = this.bytes.toString('utf8', at, at + size);
    if (Buffer.byteLength(text) !== size || text.includes('\ufffd')) {
      if (Buffer.compare(Buffer.from(text), this.bytes.subarray(at, at + size)) !== 0)
        this.fail('a string is not UTF-8');
    }
    return text;
  }

  /** A view of the bytes read, of at most `most` bytes. */
  bin(most: number = Number.MAX_SAFE_INTEGER): Buffer {
    const size = this.sized(0xc4, this.tag(), 'a byte string');
    if (size > most) this.fail('a byte string is too long');
    const at = this.take(size);
    return this.bytes.subarray(at, at + size);
  }

  /** A byte string of exactly `length` bytes, in memory of its own. */
  fixed(length: number): Uint8Array {
    const value = this.bin(length);
    if (value.length !== length) this.fail(`a byte string of ${length} bytes was expected`);
    return new Uint8Array(value);
  }

  /** As `bin`, but as a JavaScript byte string. */
  binLatin1(most: number): string {
    const size = this.sized(0xc4, this.tag(), 'a byte string');
    if (size > most) this.fail('a byte string is too long');
    const at = this.take(size);
    return this.bytes.toString('latin1', at, at + size);
  }

  /** The number of items of the array that begins here. Each takes at least one byte, so a false count fails at once. */
  array(): number {
    const tag = this.tag();
    let length: number;
    if (tag >= 0x90 && tag < 0xa0) length = tag & 0x0f;
    else if (tag === 0xdc) {
      length = this.bytes.readUInt16BE(this.take(2));
      if (length < 16) this.fail('a length is not in its shortest form');
    } else if (tag === 0xdd) {
      length = this.bytes.readUInt32BE(this.take(4));
      if (length < 0x10000) this.fail('a length is not in its shortest form');
    } else return this.fail('an array was expected');
    this.items += length;
    if (length > this.end - this.at || this.items > LIMITS.msgpackItems) this.fail('an array is too long');
    return length;
  }

  /** An array of exactly `length` items. */
  tuple(length: number): void {
    const found = this.array();
    if (found !== length) this.fail(`an array of ${length} was expected, not ${found}`);
  }

  /** A list whose items `read` reads. */
  list<T>(read: (reader: MsgpackReader) => T): T[] {
    const length = this.array();
    const items: T[] = [];
    for (let i = 0; i < length; i++) items.push(read(this));
    return items;
  }

  /**
   * Skips one value of any shape of the subset.
   * @param depth arrays that it stands in; the outermost one of a value is nesting 1.
   */
  skip(depth = 0): void {
    const tag = this.peek();
    if (tag < 0x80 || tag >= 0xe0 || (tag >= 0xcc && tag <= 0xce) || (tag >= 0xd0 && tag <= 0xd2)) this.int();
    else if (tag === 0xcf || tag === 0xd3) this.wide();
    else if (tag === 0xc0 || tag === 0xc2 || tag === 0xc3) this.at += 1;
    else if (tag >= 0xc4 && tag <= 0xc6) this.bin();
    else if ((tag >= 0xa0 && tag < 0xc0) || (tag >= 0xd9 && tag <= 0xdb)) this.str();
    else {
      if (depth >= LIMITS.msgpackDepth) this.fail('it is nested too deeply');
      const length = this.array();
      for (let i = 0; i < length; i++) this.skip(depth + 1);
    }
  }
}
