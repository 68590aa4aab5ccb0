import type { ByteString } from '../host/byte-path.ts';
import { LIMITS } from '../limits.ts';
import { ByteSource } from './byte-source.ts';
import { BLOCK_BYTES, decodeHeader, decodeNumber, TAR_TYPE, type TarHeader } from './header.ts';
import { paddingOf } from './member-head.ts';
import { decodePaxRecords } from './pax.ts';
import { newPaxFacts, readPaxRecords, type PaxFacts } from './pax-state.ts';
import { sparseLayout, type Range, type SparseLayout } from './sparse-map.ts';
import { tarError } from './tar-error.ts';

/** A member of a tar stream. */
export interface TarMember {
  /** Where in the stream its headers begin. */
  readonly offset: number;
  /** As it stands in the stream. */
  readonly path: ByteString;
  /** One of `TAR_TYPE`; sparse and contiguous files are files. */
  readonly type: string;
  readonly linkPath: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: ByteString;
  readonly group: ByteString;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint | undefined;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<ByteString, Buffer>;
  readonly acls: ReadonlyMap<ByteString, string>;
  /** Apparent bytes. */
  readonly size: number;
  readonly holes: readonly Range[];
  /** The content without its holes. To be read before the next member is asked for, or not at all. */
  content(): AsyncGenerator<Uint8Array>;
}

const ZEROS = new Uint8Array(64 * 1024);
const NS_PER_S = 1_000_000_000n;
/** Sparse entries in a header of GNU's own format, and in each block that goes on with it (tar.h of GNU tar). */
const OLD_SPARSE = { at: 386, count: 4, more: 482, realSize: 483, nextCount: 21, nextMore: 504 } as const;
/** Types whose size field means bytes that follow. */
const WITH_CONTENT: readonly string[] = [TAR_TYPE.file, TAR_TYPE.contiguous, TAR_TYPE.gnuSparse];
const KNOWN: readonly string[] = Object.values(TAR_TYPE);

/**
 * Reads a tar stream: ustar, pax, GNU and the oldest format. Memory is one extended header and one piece of the source. Rejects
 * with `TAR_INVALID`, naming the byte, for whatever is damaged, cut off or beyond a bound.
 */
export class TarReader {
  private readonly source: ByteSource;
  private global = newPaxFacts();
  private unread = 0;

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.source = new ByteSource(pieces);
  }

  async *members(): AsyncGenerator<TarMember> {
    try {
      for (let member = await this.next(); member !== undefined; member = await this.next()) yield member;
      await this.source.drain();
    } finally {
      await this.source.close();
    }
  }

  private async next(): Promise<TarMember | undefined> {
    await this.source.skip(this.unread);
    this.unread = 0;
    const offset = this.source.position;
    const facts = newPaxFacts();
    for (;;) {
      const at = this.source.position;
      const block = await this.source.block();
      if (block === undefined)
        throw tarError(at, 'it has no end', 'Nothing was imported. It was cut off: make or send it again.');
      const header = decodeHeader(block, at);
      if (header === undefined) {
        if (at !== offset) throw tarError(at, 'an extended header stands before nothing');
        return undefined;
      }
      if (!(await this.readExtension(header, facts, at))) return await this.member(header, block, facts, offset);
    }
  }

  /** True when the header was one that says something of the next. */
  private async readExtension(header: TarHeader, facts: PaxFacts, at: number): Promise<boolean> {
    const { type, size } = header;
    const isPax = type === TAR_TYPE.paxHeader || type === TAR_TYPE.paxGlobal;
    const isName = type === TAR_TYPE.gnuLongName || type === TAR_TYPE.gnuLongLink;
    if (!isPax && !isName) return false;
    if (size > LIMITS.tarHeaderBytes)
      throw tarError(at, `an extended header is longer than ${LIMITS.tarHeaderBytes} bytes`);
    const body = await this.source.take(size);
    await this.source.skip(paddingOf(size));
    if (isPax) {
      const records = decodePaxRecords(body, at + BLOCK_BYTES);
      readPaxRecords(type === TAR_TYPE.paxGlobal ? this.global : facts, records, at + BLOCK_BYTES);
      return true;
    }
    const name = body.toString('latin1').split('\0', 1)[0] ?? '';
    if (type === TAR_TYPE.gnuLongName) facts.path = name;
    else facts.linkPath = name;
    return true;
  }

  private async member(header: TarHeader, block: Buffer, own: PaxFacts, offset: number): Promise<TarMember> {
    if (!KNOWN.includes(header.type)) {
      throw tarError(offset, `a member is of the unknown type ${JSON.stringify(header.type)}`);
    }
    const facts: PaxFacts = { ...this.global, ...own };
    const path = facts.path ?? header.name;
    const withContent = WITH_CONTENT.includes(header.type);
    const stored = withContent ? (facts.size ?? header.size) : 0;
    // The oldest tar told directories by their names.
    const isDirectory = header.type === TAR_TYPE.file && path.endsWith('/');
    const type = isDirectory ? TAR_TYPE.directory : withContent ? TAR_TYPE.file : header.type;
    const before = this.source.position;
    const layout = withContent ? await this.layout(header, block, facts, stored, offset) : undefined;
    const content = stored - (header.type === TAR_TYPE.gnuSparse ? 0 : this.source.position - before);
    this.unread = content + paddingOf(stored);
    const { size = stored, holes = [], pieces } = layout ?? {};
    const wanted = (pieces ?? []).reduce((sum, piece) => sum + (piece.zeros ? 0 : piece.length), 0);
    if (layout !== undefined && wanted !== content)
      throw tarError(offset, 'a sparse file is not as long as its map says');
    return {
      offset,
      path,
      type,
      linkPath: facts.linkPath ?? header.linkName,
      mode: header.mode,
      uid: facts.uid ?? header.uid,
      gid: facts.gid ?? header.gid,
      user: facts.user ?? header.user,
      group: facts.group ?? header.group,
      mtimeNs: facts.mtimeNs ?? BigInt(header.mtime) * NS_PER_S,
      ctimeNs: facts.ctimeNs,
      major: header.major,
      minor: header.minor,
      xattrs: own.xattrs,
      acls: own.acls,
      size: withContent ? size : 0,
      holes,
      content: () => this.content(pieces ?? [{ length: content, zeros: false }]),
    };
  }

  private async *content(pieces: SparseLayout['pieces']): AsyncGenerator<Uint8Array> {
    for (const { length, zeros } of pieces) {
      for (let left = length; left > 0;) {
        const part = zeros ? ZEROS.subarray(0, left) : await this.source.part(left);
        left -= part.length;
        if (!zeros) this.unread -= part.length;
        yield part;
      }
    }
  }

  /** Of a sparse file; undefined for any other. Takes the map from the stream when it is there. */
  private async layout(
    header: TarHeader,
    block: Buffer,
    { sparse }: PaxFacts,
    stored: number,
    offset: number,
  ): Promise<(SparseLayout & { readonly size: number }) | undefined> {
    if (header.type === TAR_TYPE.gnuSparse) {
      const size = decodeNumber(block, OLD_SPARSE.realSize, 12, 'real size', offset);
      return { ...sparseLayout(await this.oldRanges(block, offset), size, offset), size };
    }
    if (sparse === undefined) return undefined;
    const { realSize: size, inData, ranges } = sparse;
    if (size === undefined) throw tarError(offset, 'a sparse file does not tell its size');
    const map = inData ? await this.mapInData(stored, offset) : ranges;
    return { ...sparseLayout(map, size, offset), size };
  }

  private async oldRanges(block: Buffer, offset: number): Promise<Range[]> {
    const ranges: Range[] = [];
    const add = (from: Buffer, at: number, count: number): void => {
      for (let i = 0; i < count; i++) {
        const place = at + 24 * i;
        if (from[place] === 0 && from[place + 12] === 0) return;
        const start = decodeNumber(from, place, 12, 'sparse map', offset);
        ranges.push([start, decodeNumber(from, place + 12, 12, 'sparse map', offset)]);
      }
    };
    add(block, OLD_SPARSE.at, OLD_SPARSE.count);
    for (let more = block[OLD_SPARSE.more]; more !== 0 && more !== undefined;) {
      if (ranges.length > LIMITS.tarSparseRanges) throw tarError(offset, 'the map of a sparse file is too long');
      const next = await this.source.take(BLOCK_BYTES);
      add(next, 0, OLD_SPARSE.nextCount);
      more = next[OLD_SPARSE.nextMore];
    }
    return ranges;
  }

  /** Decimal numbers, each with a newline: how many ranges, then offset and length of each. */
  private async mapInData(stored: number, offset: number): Promise<Range[]> {
    let digits = '';
    let left = stored;
    const numbers: number[] = [];
    let wanted = 1;
    while (numbers.length < wanted) {
      if (left < BLOCK_BYTES) throw tarError(offset, 'the map of a sparse file is longer than the file');
      const block = await this.source.take(BLOCK_BYTES);
      left -= BLOCK_BYTES;
      for (const byte of block) {
        if (numbers.length === wanted) break;
        if (byte !== 0x0a) {
          digits += String.fromCharCode(byte);
          if (digits.length > 16) break;
          continue;
        }
        const number = /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
        if (!Number.isSafeInteger(number)) throw tarError(offset, 'the map of a sparse file does not parse');
        if (numbers.length === 0) wanted = 1 + 2 * number;
        if (number > LIMITS.tarSparseRanges && numbers.length === 0)
          throw tarError(offset, 'the map of a sparse file is too long');
        numbers.push(number);
        digits = '';
      }
      if (digits.length > 16) throw tarError(offset, 'the map of a sparse file does not parse');
    }
    const ranges: Range[] = [];
    for (let i = 1; i < numbers.length; i += 2) ranges.push([numbers[i] ?? 0, numbers[i + 1] ?? 0]);
    return ranges;
  }
}
