import { IN_HEADER_BYTES, OPCODE } from '../protocol/constants.ts';
import { encodeHeader, encodeXattrSize, errnoOf } from '../protocol/replies.ts';
import type { PlainNodes } from './plain-nodes.ts';

/**
 * The whole answer to a request for extended attributes of a node that has none; undefined for any other request. It looks at the
 * bytes itself: this is done for every request, before anything else.
 */
export function plainAnswer(request: Buffer, plain: PlainNodes): Buffer | undefined {
  if (request.length < IN_HEADER_BYTES + 8) return undefined;
  const opcode = request.readUInt32LE(4);
  if (opcode !== OPCODE.getxattr && opcode !== OPCODE.listxattr) return undefined;
  const node = request.readUInt32LE(16) + request.readUInt32LE(20) * 0x1_0000_0000;
  if (!plain.has(node)) return undefined;
  const unique = request.readBigUInt64LE(8);
  if (opcode === OPCODE.getxattr) return encodeHeader(unique, errnoOf('ENODATA'), 0);
  // The empty list, or its length when that is what was asked for.
  const body = request.readUInt32LE(IN_HEADER_BYTES) === 0 ? encodeXattrSize(0) : Buffer.alloc(0);
  return Buffer.concat([encodeHeader(unique, 0, body.length), body]);
}
