// @ts-check
import { encodeMsgpack } from '../../packages/core/dist/codec/msgpack.js';

/** @typedef {import('../../packages/core/dist/codec/msgpack.js').Value} Value */

export { encodeMsgpack };

/** The value with the item at `at` replaced. @param {readonly Value[]} values @param {number} at @param {Value} value */
export const replaced = (values, at, value) => values.map((item, i) => (i === at ? value : item));

/** Bytes of MessagePack where one encoding is exchanged for another of the same value. @param {Uint8Array} bytes @param {string} from hex @param {string} to hex */
export function respelt(bytes, from, to) {
  const at = Buffer.from(bytes).indexOf(Buffer.from(from, 'hex'));
  if (at === -1) throw new Error(`there is no ${from} to be spelt otherwise`);
  const rest = Buffer.from(bytes).subarray(at + from.length / 2);
  return Buffer.concat([Buffer.from(bytes).subarray(0, at), Buffer.from(to, 'hex'), rest]);
}
