import type { CheckContext } from '../check/context.ts';
import { isDamage } from '../check/context.ts';
import type { ChunkOpener, SessionPublic } from '../crypto/chunk-crypto.ts';
import { CairnError, invariant, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import {
  decodePackHeader,
  PACK_PREFIX_BYTES,
  PACK_RECORD_BYTES,
  packHeaderLength,
  readPackRecord,
  type PackKind,
  type PackRecord,
} from '../pack/layout.ts';

/** A chunk of a pack, and where it is in it. */
export interface ListedChunk extends Omit<PackRecord, 'offset' | 'rawLength'> {
  /** From the start of the object. */
  readonly start: number;
  /** Undefined when nothing tells. */
  readonly rawLength: number | undefined;
}

/** What a pack holds: what its own header says, or others who know it. */
export interface PackTable {
  readonly kind: PackKind;
  readonly sessions: readonly SessionPublic[];
  readonly chunks: Iterable<ListedChunk>;
}

/** A chunk of a damaged pack that can still be opened. */
export interface GoodChunk {
  readonly chunk: ListedChunk;
  readonly rawLength: number;
  /** As it lies in the pack. */
  readonly sealed: Uint8Array;
}

/** What a damaged pack still gives. */
export interface Examined extends Omit<PackTable, 'chunks'> {
  readonly good: readonly GoodChunk[];
  readonly damaged: number;
  /** Chunks that the key at hand cannot open: whether they are damaged is not known. */
  readonly unopened: number;
  /** The object is, byte for byte, what was stored. */
  readonly whole: boolean;
  /** Its own header cannot be opened. */
  readonly headerLost: boolean;
}

type Read = (offset: number, length: number) => Promise<Uint8Array>;

/**
 * Tries every chunk of a pack. Held: the pack. A pack that can be read only in parts is read chunk by chunk. Rejects with
 * `CORRUPT` when its header cannot be opened and nothing else is known of it, `OBJECT_MISSING` when it is gone, or like the store.
 * @param known what it holds, when its own header cannot be opened.
 */
export async function examinePack(
  context: CheckContext,
  opener: ChunkOpener,
  name: string,
  sizeBytes: number,
  known: PackTable | undefined,
): Promise<Examined> {
  const { access, store } = context;
  const object = await readWhole(context, name);
  const read: Read = async (offset, length) => {
    if (offset + length > sizeBytes) throw new CairnError('CORRUPT', `pack ${name} ends too early`);
    if (object !== undefined) return object.subarray(offset, offset + length);
    return await store.get({ kind: 'packs', name }, { range: { offset, length } });
  };
  let table: PackTable;
  let headerLost = false;
  try {
    table = await ownTable(context, read, name, sizeBytes);
  } catch (error) {
    if (known === undefined || !isDamage(error) || error.code === 'OBJECT_MISSING') throw error;
    table = known;
    headerLost = true;
  }
  const { kind, sessions, chunks } = table;
  const good: GoodChunk[] = [];
  const counts = { damaged: 0, unopened: 0 };
  for (const chunk of chunks) {
    try {
      const sealed = await read(chunk.start, chunk.storedLength);
      good.push({ chunk, rawLength: openedLength(opener, sessions[chunk.session], chunk, sealed), sealed });
    } catch (error) {
      if (isCairnError(error, 'RIGHT_MISSING')) counts.unopened += 1;
      else if (isDamage(error)) counts.damaged += 1;
      else throw error;
    }
  }
  const whole = object !== undefined && toHex(access.suite.sha256(object)) === name;
  return { kind, sessions, good, ...counts, whole, headerLost };
}

/** What the pack's own header says. */
async function ownTable({ access }: CheckContext, read: Read, name: string, sizeBytes: number): Promise<PackTable> {
  const keys = { repo: access.config.repo, loc: access.secret('loc', 'read pack headers') };
  const what = `pack ${name}`;
  const start = await read(0, Math.min(PACK_PREFIX_BYTES, sizeBytes));
  const head = await read(0, packHeaderLength(start, what));
  // The header of a pack that lost its end is as good as ever: what lies beyond the end shows when it is read.
  const header = decodePackHeader(access.suite, keys, head, Math.max(sizeBytes, LIMITS.packBytes), what);
  const { kind, sessions, records, dataStart } = header;
  const chunks = Array.from({ length: records.length / PACK_RECORD_BYTES }, (_, i) => {
    const { offset, ...record } = readPackRecord(records, i);
    return { ...record, start: dataStart + offset };
  });
  return { kind, sessions, chunks };
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

/** Opens a chunk and gives its plain length. Rejects with `CORRUPT` or `RIGHT_MISSING`. */
function openedLength(
  opener: ChunkOpener,
  session: SessionPublic | undefined,
  { type, id, rawLength }: ListedChunk,
  sealed: Uint8Array,
): number {
  invariant(session !== undefined, 'the header, or the index, was checked when it was decoded');
  const { length } = opener.open(type, id, session, sealed);
  if (rawLength !== undefined && length !== rawLength) {
    throw new CairnError('CORRUPT', 'a chunk has another length than listed');
  }
  return length;
}
