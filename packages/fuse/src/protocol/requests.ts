import { IN_HEADER_BYTES, OPCODE } from './constants.ts';

/** What every request says (`struct fuse_in_header`). */
export interface RequestHeader {
  readonly opcode: number;
  /** Names the request in its answer. */
  readonly unique: bigint;
  /** The inode that it is about. */
  readonly node: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

export type Request = RequestHeader & RequestBody;

/** What a request says beside, by kind. `other`: a kind without a body that matters here. */
export type RequestBody =
  | {
      readonly kind: 'init';
      readonly major: number;
      readonly minor: number;
      readonly readahead: number;
      readonly flags: number;
    }
  | { readonly kind: 'lookup'; readonly name: string }
  | { readonly kind: 'forget'; readonly forgets: readonly Forget[] }
  | { readonly kind: 'read'; readonly offset: number; readonly size: number }
  | { readonly kind: 'readdir'; readonly offset: number; readonly size: number; readonly plus: boolean }
  | { readonly kind: 'getxattr'; readonly name: string; readonly size: number }
  | { readonly kind: 'listxattr'; readonly size: number }
  | { readonly kind: 'open'; readonly flags: number }
  | { readonly kind: 'lseek'; readonly offset: number; readonly whence: number }
  | { readonly kind: 'ioctl'; readonly command: number; readonly outSize: number }
  | { readonly kind: 'interrupt'; readonly target: bigint }
  | { readonly kind: 'other' };

/** So many look-ups of an inode are forgotten. */
export interface Forget {
  readonly node: number;
  readonly count: number;
}

/** A request that is not as the interface says. The kernel makes none; a bug here would. */
export class MalformedRequest extends Error {
  override readonly name = 'MalformedRequest';
}

/**
 * Decodes one request as it was read from the device. Names are byte strings. Rejects with `MalformedRequest` when it is shorter
 * than its parts, longer or shorter than it says, or names a node or place beyond 2^53.
 */
export function decodeRequest(bytes: Uint8Array): Request {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  need(body, IN_HEADER_BYTES);
  if (body.readUInt32LE(0) !== body.length) {
    throw new MalformedRequest(`a request of ${body.length} bytes says that it has ${body.readUInt32LE(0)}`);
  }
  const opcode = body.readUInt32LE(4);
  return {
    opcode,
    unique: body.readBigUInt64LE(8),
    node: wide(body, 16),
    uid: body.readUInt32LE(24),
    gid: body.readUInt32LE(28),
    pid: body.readUInt32LE(32),
    ...decodeBody(opcode, body, wide(body, 16)),
  };
}

function decodeBody(opcode: number, body: Buffer, node: number): RequestBody {
  const at = IN_HEADER_BYTES;
  switch (opcode) {
    case OPCODE.init:
      need(body, at + 16);
      return {
        kind: 'init',
        major: body.readUInt32LE(at),
        minor: body.readUInt32LE(at + 4),
        readahead: body.readUInt32LE(at + 8),
        flags: body.readUInt32LE(at + 12),
      };
    case OPCODE.lookup:
      return { kind: 'lookup', name: nameAt(body, at) };
    case OPCODE.forget:
      return { kind: 'forget', forgets: [{ node, count: wide(body, at) }] };
    case OPCODE.batchForget:
      return { kind: 'forget', forgets: forgetsAt(body, at) };
    case OPCODE.read:
      need(body, at + 40);
      return { kind: 'read', offset: wide(body, at + 8), size: body.readUInt32LE(at + 16) };
    case OPCODE.readdir:
    case OPCODE.readdirplus:
      need(body, at + 40);
      return {
        kind: 'readdir',
        offset: wide(body, at + 8),
        size: body.readUInt32LE(at + 16),
        plus: opcode === OPCODE.readdirplus,
      };
    case OPCODE.getxattr:
      need(body, at + 8);
      return { kind: 'getxattr', size: body.readUInt32LE(at), name: nameAt(body, at + 8) };
    case OPCODE.listxattr:
      need(body, at + 8);
      return { kind: 'listxattr', size: body.readUInt32LE(at) };
    case OPCODE.open:
    case OPCODE.opendir:
      need(body, at + 8);
      return { kind: 'open', flags: body.readUInt32LE(at) };
    case OPCODE.lseek:
      need(body, at + 24);
      return { kind: 'lseek', offset: wide(body, at + 8), whence: body.readUInt32LE(at + 16) };
    case OPCODE.ioctl:
      need(body, at + 32);
      return { kind: 'ioctl', command: body.readUInt32LE(at + 12), outSize: body.readUInt32LE(at + 28) };
    case OPCODE.interrupt:
      need(body, at + 8);
      return { kind: 'interrupt', target: body.readBigUInt64LE(at) };
    default:
      return { kind: 'other' };
  }
}

function forgetsAt(body: Buffer, at: number): Forget[] {
  need(body, at + 8);
  const count = body.readUInt32LE(at);
  need(body, at + 8 + 16 * count);
  return Array.from({ length: count }, (_, i) => ({
    node: wide(body, at + 8 + 16 * i),
    count: wide(body, at + 16 + 16 * i),
  }));
}

function need(body: Buffer, length: number): void {
  if (body.length < length) throw new MalformedRequest(`a request of ${body.length} bytes needs ${length}`);
}

/** A number of 64 bits that a place or node of this file system fits. */
function wide(body: Buffer, at: number): number {
  need(body, at + 8);
  const value = body.readUInt32LE(at) + body.readUInt32LE(at + 4) * 0x1_0000_0000;
  if (!Number.isSafeInteger(value)) throw new MalformedRequest('a request has a number above 2^53');
  return value;
}

/** The name that ends with NUL, as a byte string. */
function nameAt(body: Buffer, at: number): string {
  const end = body.indexOf(0, at);
  if (end === -1) throw new MalformedRequest('a name in a request does not end');
  return body.toString('latin1', at, end);
}
