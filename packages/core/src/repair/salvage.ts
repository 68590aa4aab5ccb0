import type { CheckContext } from '../check/context.ts';
import { isDamage } from '../check/context.ts';
import type { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import {
  decodePackHeader,
  PACK_PREFIX_BYTES,
  PACK_RECORD_BYTES,
  packHeaderLength,
  readPackRecord,
  type PackHeader,
  type PackRecord,
} from '../pack/layout.ts';

/** A chunk of a damaged pack that can still be opened. */
export interface GoodChunk {
  readonly record: PackRecord;
  /** As it lies in the pack. */
  readonly sealed: Uint8Array;
}

/** What a damaged pack still gives. */
export interface Examined {
  readonly header: PackHeader;
  readonly good: readonly GoodChunk[];
  readonly damaged: number;
  /** Chunks that the key at hand cannot open: whether they are damaged is not known. */
  readonly unopened: number;
  /** The object is, byte for byte, what was stored. */
  readonly whole: boolean;
}

/**
 * Tries every chunk of a pack. Held: the pack. A pack that can be read only in parts is read chunk by chunk. Rejects with
 * `CORRUPT` when its header cannot be opened, `OBJECT_MISSING` when it is gone, or like the store.
 */
export async function examinePack(
  context: CheckContext,
  opener: ChunkOpener,
  name: string,
  sizeBytes: number,
): Promise<Examined> {
  const { access, store } = context;
  const object = await readWhole(context, name);
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    if (offset + length > sizeBytes) throw new CairnError('CORRUPT', `pack ${name} ends too early`);
    if (object !== undefined) return object.subarray(offset, offset + length);
    return await store.get({ kind: 'packs', name }, { range: { offset, length } });
  };
  const keys = { repo: access.config.repo, loc: access.secret('loc', 'read pack headers') };
  const what = `pack ${name}`;
  const start = await read(0, Math.min(PACK_PREFIX_BYTES, sizeBytes));
  const head = await read(0, packHeaderLength(start, what));
  // The header of a pack that lost its end is as good as ever: what lies beyond the end shows when it is read.
  const header = decodePackHeader(access.suite, keys, head, Math.max(sizeBytes, LIMITS.packBytes), what);
  const good: GoodChunk[] = [];
  const counts = { damaged: 0, unopened: 0 };
  for (let i = 0; i < header.records.length / PACK_RECORD_BYTES; i++) {
    const record = readPackRecord(header.records, i);
    try {
      const sealed = await read(header.dataStart + record.offset, record.storedLength);
      open(opener, header, record, sealed);
      good.push({ record, sealed });
    } catch (error) {
      if (isCairnError(error, 'RIGHT_MISSING')) counts.unopened += 1;
      else if (isDamage(error)) counts.damaged += 1;
      else throw error;
    }
  }
  const whole = object !== undefined && toHex(access.suite.sha256(object)) === name;
  return { header, good, ...counts, whole };
}

/** Undefined when the pack cannot be read in one piece, as from a disk with a bad sector. */
async function readWhole({ store }: CheckContext, name: string): Promise<Uint8Array | undefined> {
  try {
    return await store.get({ kind: 'packs', name });
  } catch (error) {
    if (isCairnError(error, 'STORE_FAILED')) return undefined;
    throw error;
  }
}

function open(opener: ChunkOpener, { sessions }: PackHeader, record: PackRecord, sealed: Uint8Array): void {
  const session = sessions[record.session];
  if (session === undefined) throw new CairnError('CORRUPT', 'the header was checked when it was decoded');
  const plaintext = opener.open(record.type, record.id, session, sealed);
  if (plaintext.length !== record.rawLength) throw new CairnError('CORRUPT', 'a chunk has another length than listed');
}
