import type { ByteString } from '../host/byte-path.ts';
import { tarError } from './tar-error.ts';

/** Everything in a tar stream comes in blocks of so many bytes (POSIX.1-2017, pax, "ustar Interchange Format"). */
export const BLOCK_BYTES = 512;

/** Types of members. */
export const TAR_TYPE = {
  file: '0',
  hardLink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
  contiguous: '7',
  paxHeader: 'x',
  paxGlobal: 'g',
  gnuLongName: 'L',
  gnuLongLink: 'K',
  gnuSparse: 'S',
} as const;

/** What a header block says. Names are byte strings. */
export interface TarHeader {
  readonly name: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes that follow, without padding. */
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly type: string;
  readonly linkName: ByteString;
  readonly user: ByteString;
  readonly group: ByteString;
  readonly major: number;
  readonly minor: number;
}

/** The greatest numbers that fit the octal fields. */
export const OCTAL_MOST = { id: 0o777_7777, size: 0o777_7777_7777, mtime: 0o777_7777_7777 } as const;

/** A header block. Fields too long or too large for it are cut or 0: an extended header before it has them. */
export function encodeHeader(header: TarHeader): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const text = (value: ByteString, at: number, length: number): void => {
    block.write(value.slice(0, length), at, 'latin1');
  };
  const octal = (value: number, at: number, digits: number): void => {
    const fits = Number.isSafeInteger(value) && value >= 0 && value < 8 ** digits;
    block.write((fits ? value : 0).toString(8).padStart(digits, '0'), at, 'latin1');
  };
  text(header.name, 0, 100);
  octal(header.mode, 100, 7);
  octal(header.uid, 108, 7);
  octal(header.gid, 116, 7);
  octal(header.size, 124, 11);
  octal(header.mtime, 136, 11);
  block.fill(' ', 148, 156);
  text(header.type, 156, 1);
  text(header.linkName, 157, 100);
  text('ustar', 257, 6);
  text('00', 263, 2);
  text(header.user, 265, 31);
  text(header.group, 297, 31);
  octal(header.major, 329, 7);
  octal(header.minor, 337, 7);
  octal(sumOf(block), 148, 6);
  block[154] = 0;
  return block;
}

/**
 * Reads a header block of ustar, pax, GNU or the oldest tar; undefined for a block of zeros, which ends an archive. Rejects with
 * `TAR_INVALID`.
 * @param offset where in the stream the block begins.
 */
export function decodeHeader(block: Buffer, offset: number): TarHeader | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  const packed = COMPRESSED.find(({ magic }) => block.toString('hex', 0, magic.length / 2) === magic);
  if (packed !== undefined) throw tarError(offset, 'it is compressed', `Pass it through \`${packed.program}\` first.`);
  const number = (at: number, length: number, what: string): number => decodeNumber(block, at, length, what, offset);
  const sum = number(148, 8, 'checksum');
  if (sum !== sumOf(block) && sum !== signedSumOf(block)) throw tarError(offset, 'a header has a wrong checksum');
  const text = (at: number, length: number): ByteString =>
    block.toString('latin1', at, at + length).split('\0', 1)[0] ?? '';
  const magic = block.toString('latin1', 257, 263);
  const known = magic === 'ustar\0' || magic === 'ustar ';
  // Old GNU headers have other things where ustar has the beginning of long names.
  const prefix = magic === 'ustar\0' ? text(345, 155) : '';
  const name = text(0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: number(100, 8, 'mode') & 0o7777,
    uid: number(108, 8, 'owner'),
    gid: number(116, 8, 'group'),
    size: number(124, 12, 'size'),
    mtime: decodeNumber(block, 136, 12, 'time', offset, true),
    type: block[156] === 0 ? TAR_TYPE.file : String.fromCharCode(block[156] ?? 0),
    linkName: text(157, 100),
    user: known ? text(265, 32) : '',
    group: known ? text(297, 32) : '',
    major: known ? number(329, 8, 'device') : 0,
    minor: known ? number(337, 8, 'device') : 0,
  };
}

/** Octal digits, or GNU's base 256 where the first bit is set (tar.h of GNU tar). */
export function decodeNumber(
  block: Buffer,
  at: number,
  length: number,
  what: string,
  offset: number,
  mayBeNegative = false,
): number {
  const field = block.subarray(at, at + length);
  const first = field[0] ?? 0;
  let value: number;
  if ((first & 0x80) !== 0) {
    let big = BigInt(first === 0xff ? -1 : first & 0x7f);
    for (const byte of field.subarray(1)) big = big * 256n + BigInt(byte);
    value = Number(big);
  } else {
    const text = field.toString('latin1').split('\0', 1)[0]?.trim() ?? '';
    if (!/^[0-7]*$/.test(text)) throw tarError(offset, `the ${what} of a header is no number`);
    value = text === '' ? 0 : Number.parseInt(text, 8);
  }
  if (!Number.isSafeInteger(value) || (value < 0 && !mayBeNegative)) {
    throw tarError(offset, `the ${what} of a header is out of range`);
  }
  return value;
}

/** The sum of all bytes, those of the checksum itself counting as spaces. */
function sumOf(block: Buffer): number {
  let sum = 0;
  for (let at = 0; at < BLOCK_BYTES; at++) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
  return sum;
}

/** As some old programs counted it. */
function signedSumOf(block: Buffer): number {
  let sum = 0;
  for (let at = 0; at < BLOCK_BYTES; at++) sum += at >= 148 && at < 156 ? 0x20 : block.readInt8(at);
  return sum;
}

/** What people give in the place of a tar archive. */
const COMPRESSED = [
  { magic: '1f8b', program: 'gzip -dc' },
  { magic: '28b52ffd', program: 'zstd -dc' },
  { magic: 'fd377a585a00', program: 'xz -dc' },
  { magic: '425a68', program: 'bzip2 -dc' },
] as const;
