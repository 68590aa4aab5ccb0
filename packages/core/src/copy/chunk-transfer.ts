import { asBuffer } from '../codec/as-buffer.ts';
import { ownMemory } from '../codec/own-memory.ts';
import type { ChunkSpreader } from '../backup/chunk-spreader.ts';
import type { Crew } from '../backup/crew.ts';
import { SEALED_FIELDS, type SealedChunks } from '../backup/messages.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { planReads, type PackRead, type PlacedChunk } from '../restore/read-plan.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { CONTENT_RECORD_BYTES } from '../tree/content.ts';

/** Plain bytes of chunks that are gathered before their reads are planned: several packs, so that each is read nearly once. */
const GATHER_BYTES = 64 * 1024 * 1024;
/** Chunks that are gathered: some hundred bytes each. */
const GATHER_CHUNKS = 8_192;
/** Sealed bytes on their way from the store to a thread that takes them over; a single read may be longer. */
const IN_FLIGHT_BYTES = 16 * 1024 * 1024;
/** Less than this is not worth a thread. */
const HEAVY_BYTES = 1024 * 1024;
/** Reads under way when the next chunks are planned, although fewer than that are gathered. */
const FEW_READS = 2;

/** A chunk that is wanted in the target. */
class Wanted implements PlacedChunk {
  readonly id: Uint8Array;
  /** Of the plaintext. */
  readonly length: number;
  readonly record: Promise<Buffer>;
  pack = -1;
  offset = 0;
  storedLength = 0;
  session = 0;
  resolve: (record: Buffer) => void = () => undefined;
  reject: (error: unknown) => void = () => undefined;

  constructor(id: Uint8Array, length: number) {
    this.id = id;
    this.length = length;
    this.record = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // A rejection is met when its turn comes; until then it must not count as unhandled.
    this.record.catch(() => undefined);
  }
}

/** What chunks are moved with. */
export interface Transferring {
  readonly store: ObjectStore;
  readonly index: ChunkIndex;
  /** Gives a chunk that was not where the index says, or was damaged there: from another place, if there is one. */
  readonly source: ChunkSource;
  readonly crew: Crew;
  readonly spreader: ChunkSpreader;
  readonly signal: AbortSignal | undefined;
}

/**
 * Moves chunks of file contents into the target: gathers what is wanted, reads each range of a pack once, and has threads open,
 * name and seal what is in it. Reads are bounded by what is on its way.
 */
export class ChunkTransfer {
  private readonly transferring: Transferring;
  /** By their ids, as text: what several files want is moved once. */
  private readonly wanted = new Map<string, Wanted>();
  private gathered: Wanted[] = [];
  private gatheredBytes = 0;
  private readonly planned: PackRead<Wanted>[] = [];
  private reading = 0;
  private readingBytes = 0;
  private onIdle: () => void = () => undefined;

  constructor(transferring: Transferring) {
    this.transferring = transferring;
  }

  /**
   * The level-0 record of a chunk in the target, once it is stored there. Rejects with `CORRUPT` or `OBJECT_MISSING` when the
   * source does not have it. Call `nudge` before waiting.
   */
  want(id: Uint8Array, length: number): Promise<Buffer> {
    const name = asBuffer(id).toString('latin1');
    const known = this.wanted.get(name);
    if (known !== undefined) return known.record;
    const chunk = new Wanted(new Uint8Array(id), length);
    this.wanted.set(name, chunk);
    void chunk.record.then(
      () => this.wanted.delete(name),
      () => this.wanted.delete(name),
    );
    this.gathered.push(chunk);
    this.gatheredBytes += length;
    if (this.gatheredBytes >= GATHER_BYTES || this.gathered.length >= GATHER_CHUNKS) this.plan();
    return chunk.record;
  }

  /** To be called when somebody is going to wait: what is gathered must not wait for more then. */
  nudge(): void {
    if (this.reading + this.planned.length <= FEW_READS) this.plan();
  }

  /** Begins nothing more; resolves when nothing goes on. The crew must be about to stop: what it is given ends then. */
  async stop(): Promise<void> {
    const rest = [...this.gathered, ...this.planned.flatMap(({ uses }) => uses)];
    this.gathered = [];
    this.planned.length = 0;
    for (const chunk of rest) chunk.reject(new CairnError('CANCELLED', 'the copy was stopped'));
    if (this.reading > 0) await new Promise<void>((resolve) => (this.onIdle = resolve));
  }

  private plan(): void {
    const { gathered } = this;
    if (gathered.length === 0) return;
    this.gathered = [];
    this.gatheredBytes = 0;
    const { reads, unknown } = planReads(gathered, this.transferring.index);
    for (const chunk of unknown) void this.moveAlone(chunk);
    this.planned.push(...reads);
    this.start();
  }

  private start(): void {
    for (let next = this.planned[0]; next !== undefined; next = this.planned[0]) {
      if (this.reading > 0 && this.readingBytes + next.length > IN_FLIGHT_BYTES) return;
      this.planned.shift();
      const { length } = next;
      this.reading += 1;
      this.readingBytes += length;
      void this.move(next).finally(() => {
        this.reading -= 1;
        this.readingBytes -= length;
        this.start();
        // Somebody may be waiting for what is gathered.
        this.nudge();
        if (this.reading === 0) this.onIdle();
      });
    }
  }

  /** Never rejects: what fails is told to whoever wants the chunks. */
  private async move(read: PackRead<Wanted>): Promise<void> {
    const { signal, crew } = this.transferring;
    try {
      throwIfCancelled(signal, 'copy');
      const sealed = await this.read(read);
      // Of a pack that is not there, or not whole, each chunk is looked for elsewhere.
      if (sealed === undefined) return void (await Promise.all(read.uses.map((chunk) => this.moveAlone(chunk))));
      const result = await crew.submit({ kind: 'sealed', ...sealed }, read.length >= HEAVY_BYTES);
      const records = asBuffer(result.kind === 'store' ? result.records : new Uint8Array());
      for (const [i, chunk] of read.uses.entries()) {
        const record = records.subarray(CONTENT_RECORD_BYTES * i, CONTENT_RECORD_BYTES * (i + 1));
        if (record.some((byte) => byte !== 0)) chunk.resolve(record);
        else await this.moveAlone(chunk);
      }
    } catch (error) {
      for (const chunk of read.uses) chunk.reject(error);
    }
  }

  private async read({ pack, offset, length, uses }: PackRead<Wanted>): Promise<SealedChunks | undefined> {
    const { store, index } = this.transferring;
    const { name = '', sessions = [] } = index.packs[pack] ?? {};
    let bytes: Uint8Array;
    try {
      bytes = ownMemory(await store.get({ kind: 'packs', name }, { range: { offset, length } }));
    } catch (error) {
      if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
      return undefined;
    }
    const places = new Uint32Array(SEALED_FIELDS * uses.length);
    const ids = new Uint8Array(32 * uses.length);
    for (const [i, use] of uses.entries()) {
      places.set([use.offset - offset, use.storedLength, use.length, use.session], SEALED_FIELDS * i);
      ids.set(use.id, 32 * i);
    }
    return { bytes, places, ids, sessions };
  }

  /** Moves one chunk from wherever it is to be had. Never rejects. */
  private async moveAlone(chunk: Wanted): Promise<void> {
    const { source, spreader, signal } = this.transferring;
    try {
      throwIfCancelled(signal, 'copy');
      const plaintext = await source.chunk(CHUNK_TYPE.data, chunk.id);
      if (plaintext.length !== chunk.length) {
        throw new CairnError('CORRUPT', 'a chunk is not as long as the reference to it says');
      }
      await spreader.room();
      const stored = spreader.add(plaintext);
      spreader.submit();
      chunk.resolve(await stored);
    } catch (error) {
      chunk.reject(error);
    }
  }
}
