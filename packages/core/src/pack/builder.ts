import type { ChunkType, SessionPublic } from '../crypto/chunk-crypto.ts';
import { invariant } from '../errors.ts';
import { toHex } from '../ids.ts';
import { LIMITS, PACK_TARGET } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';
import {
  encodePackHeader,
  PACK_KIND,
  PACK_RECORD_BYTES,
  packDataStart,
  writePackRecord,
  type PackKind,
} from './layout.ts';
import { padmeLength } from './padme.ts';

/** A pack ready to be put. Its bytes are alone in their ArrayBuffer, which may be transferred to another thread. */
export interface BuiltPack {
  /** Hex SHA-256 of the object. */
  readonly name: string;
  readonly object: Uint8Array;
  readonly kind: PackKind;
  readonly sessions: readonly SessionPublic[];
  /** As in `PackHeader`. */
  readonly records: Buffer;
  readonly dataStart: number;
}

interface Pending {
  readonly type: ChunkType;
  readonly id: Uint8Array;
  readonly session: number;
  readonly rawLength: number;
  readonly start: number;
  readonly length: number;
}

/**
 * Gathers sealed chunks of one kind until there are enough for a pack. Works in two pieces of memory that are used again and
 * again: chunks are sealed straight into the first, and the object is laid out in the second.
 */
export class PackBuilder {
  private readonly suite: CryptoSuite;
  private readonly random: Random;
  private readonly keys: { readonly repo: Uint8Array; readonly loc: Uint8Array };
  private readonly kind: PackKind;
  private readonly session: SessionPublic | undefined;
  private readonly target: number;
  private readonly numbers = new Map<string, number>();
  private sessions: SessionPublic[] = [];
  private staging: Buffer | undefined;
  private readonly spares: ArrayBuffer[] = [];
  private pending: Pending[] = [];
  private used = 0;

  /** @param session of the run, when all chunks are of one. */
  constructor(
    suite: CryptoSuite,
    random: Random,
    keys: { readonly repo: Uint8Array; readonly loc: Uint8Array },
    kind: PackKind,
    session?: SessionPublic,
  ) {
    this.suite = suite;
    this.random = random;
    this.keys = keys;
    this.kind = kind;
    this.session = session;
    this.target = kind === PACK_KIND.data ? PACK_TARGET.data : PACK_TARGET.tree;
  }

  get empty(): boolean {
    return this.pending.length === 0;
  }

  /** True when the target size is reached, or no further session fits, and the pack should be finished. */
  get full(): boolean {
    const { packChunks, packSessions } = LIMITS;
    return this.used >= this.target || this.pending.length >= packChunks || this.sessions.length >= packSessions;
  }

  /** Memory for a sealed chunk of exactly `length` bytes, which becomes part of the pack. */
  reserve(
    type: ChunkType,
    id: Uint8Array,
    rawLength: number,
    length: number,
    from: SessionPublic | undefined = this.session,
  ): Uint8Array {
    invariant(from !== undefined, 'a chunk is of a session');
    const session = this.numberOf(from);
    let staging = (this.staging ??= Buffer.allocUnsafeSlow(this.target + LIMITS.chunkBytes + LIMITS.sealOverheadBytes));
    if (this.used + length > staging.length) {
      staging = Buffer.concat([staging.subarray(0, this.used)], 2 * staging.length);
      this.staging = staging;
    }
    const start = this.used;
    this.pending.push({ type, id, session, rawLength, start, length });
    this.used += length;
    return staging.subarray(start, this.used);
  }

  /** Gives back the memory of an object that this builder made and that has been put. */
  recycle(memory: ArrayBuffer): void {
    this.spares.push(memory);
  }

  /**
   * The pack of everything added since the last call, in random order: the order of chunks would tell their lengths apart.
   * @param last pad the object to a Padmé length, because the last pack of a run would tell how much changed.
   */
  finish(last: boolean): BuiltPack {
    const chunks = shuffle(this.pending, this.random);
    const records = Buffer.allocUnsafeSlow(PACK_RECORD_BYTES * chunks.length);
    let offset = 0;
    chunks.forEach(({ type, id, session, rawLength, length }, i) => {
      writePackRecord(records, i, { type, session, offset, storedLength: length, rawLength, id });
      offset += length;
    });
    const { sessions } = this;
    const header = encodePackHeader(this.suite, this.random, this.keys, { kind: this.kind, sessions, records });
    const length = header.length + offset;
    const object = this.object(last ? Math.min(padmeLength(length), LIMITS.packBytes) : length);
    object.set(header);
    let at = header.length;
    for (const chunk of chunks) {
      object.set((this.staging as Buffer).subarray(chunk.start, chunk.start + chunk.length), at);
      at += chunk.length;
    }
    if (at < object.length) object.set(this.random.bytes(object.length - at), at);
    const name = toHex(this.suite.sha256(object));
    this.pending = [];
    this.used = 0;
    this.sessions = [];
    this.numbers.clear();
    return { name, object, kind: this.kind, sessions, records, dataStart: header.length };
  }

  /** Position of a session in the table of the pack that is being filled. */
  private numberOf(session: SessionPublic): number {
    if (this.sessions.at(-1) === session) return this.sessions.length - 1;
    const name = Buffer.concat([session.sid, session.epk]).toString('latin1');
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    this.numbers.set(name, this.sessions.length);
    this.sessions.push(session);
    return this.sessions.length - 1;
  }

  private object(length: number): Uint8Array {
    const spare = this.spares.pop();
    if (spare !== undefined && spare.byteLength >= length) return new Uint8Array(spare, 0, length);
    // Room for any pack of this kind, so that the memory serves again; what is not touched costs nothing.
    const room = 2 * this.target + packDataStart(this.sessions.length, this.pending.length);
    return new Uint8Array(new ArrayBuffer(Math.max(room, length)), 0, length);
  }
}

/** Fisher–Yates with random 32-bit words; the bias of the remainder is below 2^-15 for the chunks of a pack. */
function shuffle<T>(items: readonly T[], random: Random): T[] {
  const shuffled = [...items];
  const bytes = random.bytes(4 * Math.max(1, shuffled.length));
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = words.getUint32(4 * i, true) % (i + 1);
    const item = shuffled[i] as T;
    shuffled[i] = shuffled[j] as T;
    shuffled[j] = item;
  }
  return shuffled;
}
