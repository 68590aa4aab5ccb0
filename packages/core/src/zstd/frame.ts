/** What is read of a zstd frame without decompressing it (RFC 8878, section 3.1.1). */
export interface FrameShape {
  /** Bytes of the frame, checksum included. */
  readonly length: number;
  /** Frame_Content_Size, when the header gives it. */
  readonly contentSize: bigint | undefined;
}

const MAGIC = 0xfd2fb528;
const MAGIC_AND_DESCRIPTOR_BYTES = 5;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const BLOCK_HEADER_BYTES = 3;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;
const CHECKSUM_BYTES = 4;

/** The frame that begins here, or undefined when there is none, or only a part of one. */
export function frameShape(frame: Uint8Array): FrameShape | undefined {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const descriptor = bytes[4];
  if (descriptor === undefined || bytes.readUInt32LE(0) !== MAGIC || (descriptor & 0x08) !== 0) return undefined;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = DICTIONARY_ID_BYTES[descriptor & 3] ?? 0;
  const sizeAt = MAGIC_AND_DESCRIPTOR_BYTES + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 2 ** sizeFlag;
  if (bytes.length < sizeAt + sizeBytes) return undefined;
  const end = blocksEnd(bytes, sizeAt + sizeBytes);
  if (end === undefined) return undefined;
  const length = end + ((descriptor & 0x04) !== 0 ? CHECKSUM_BYTES : 0);
  return length > bytes.length ? undefined : { length, contentSize: contentSize(bytes, sizeAt, sizeBytes) };
}

/** Frames of two bytes count from 256: smaller sizes have a form of one byte. */
function contentSize(bytes: Buffer, at: number, size: number): bigint | undefined {
  if (size === 0) return undefined;
  if (size === 8) return bytes.readBigUInt64LE(at);
  return BigInt(bytes.readUIntLE(at, size)) + (size === 2 ? 256n : 0n);
}

function blocksEnd(bytes: Buffer, start: number): number | undefined {
  for (let at = start; at + BLOCK_HEADER_BYTES <= bytes.length;) {
    const header = bytes.readUIntLE(at, BLOCK_HEADER_BYTES);
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) return undefined;
    at += BLOCK_HEADER_BYTES + (type === RLE_BLOCK ? 1 : header >> 3);
    if ((header & 1) !== 0) return at;
  }
  return undefined;
}
