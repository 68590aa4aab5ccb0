import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { label } from '../crypto/labels.ts';

/** The repository's keyed gear table: 256 words of 31 bits (format page, section 4.3). */
export function gearTable(suite: CryptoSuite, cdc: Uint8Array, repo: Uint8Array): Int32Array {
  const stream = Buffer.from(suite.hkdf(cdc, repo, label('gear'), 1024));
  return Int32Array.from({ length: 256 }, (_, i) => stream.readUInt32LE(4 * i) & 0x7fff_ffff);
}
