import { CHUNK_TYPE, ChunkOpener, type OpenedChunk } from '../crypto/chunk-crypto.ts';
import { isCairnError } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Zstd } from '../ports/zstd.ts';
import { SEALED_FIELDS, type SealedChunks, type SourceSetup } from './messages.ts';

/** Bytes that are opened before their garbage is collected. */
const RELIEF_BYTES = 16 * 1024 * 1024;

/** A chunk of another repository, ready to be stored. */
export interface TakenOver {
  readonly plaintext: Uint8Array;
  /** Its payload; undefined when it is to be compressed anew. */
  readonly packed: Omit<OpenedChunk, 'plaintext'> | undefined;
}

/** Opens the chunks of another repository. */
export class SealedOpener {
  private readonly opener: ChunkOpener;
  private readonly recompress: boolean;
  private openedBytes = 0;

  constructor(suite: CryptoSuite, zstd: Zstd, { keys, recompress }: SourceSetup) {
    this.opener = new ChunkOpener(suite, zstd, keys);
    this.recompress = recompress;
  }

  /** Undefined when it is damaged, or not as long as it should be. */
  open({ bytes, places, ids, sessions }: SealedChunks, chunk: number): TakenOver | undefined {
    const at = SEALED_FIELDS * chunk;
    const [offset = 0, storedLength = 0, length = 0, number = 0] = places.subarray(at, at + SEALED_FIELDS);
    const session = sessions[number];
    if (session === undefined) return undefined;
    const id = ids.subarray(32 * chunk, 32 * (chunk + 1));
    try {
      const sealed = bytes.subarray(offset, offset + storedLength);
      const { plaintext, ...packed } = this.opener.openPacked(CHUNK_TYPE.data, id, session, sealed);
      this.openedBytes += storedLength + plaintext.length;
      if (plaintext.length !== length) return undefined;
      return { plaintext, packed: this.recompress ? undefined : packed };
    } catch (error) {
      if (!isCairnError(error, 'CORRUPT')) throw error;
      return undefined;
    }
  }

  /** True, once for each few megabytes, when what was opened left so much garbage that it is worth collecting. */
  hasGarbage(): boolean {
    if (this.openedBytes < RELIEF_BYTES) return false;
    this.openedBytes = 0;
    return true;
  }
}
