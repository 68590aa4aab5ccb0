import { asBuffer } from '../codec/as-buffer.ts';
import { CONTENT_RECORD_BYTES } from '../tree/content.ts';
import type { Crew } from './crew.ts';

/** Bytes of chunks that one job takes; a single chunk may be longer. */
const JOB_BYTES = 4 * 1024 * 1024;
/** Jobs under way at once: with the batch being filled, what streams keep in memory. */
const JOBS_AT_ONCE = 4;

interface Waiting {
  readonly resolve: (record: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

/** Gives chunks that are cut already to the crew, many small ones or a few large ones in one job. */
export class ChunkSpreader {
  private readonly crew: Crew;
  private pieces: Uint8Array[] = [];
  private waiting: Waiting[] = [];
  private bytes = 0;
  private readonly running = new Set<Promise<void>>();

  constructor(crew: Crew) {
    this.crew = crew;
  }

  /**
   * Copies a chunk; resolves with its level-0 record when it is stored, or known to be. `submit` must be called before the last
   * one is waited for. Await `room` before the next.
   */
  add(chunk: Uint8Array): Promise<Buffer> {
    if (this.bytes > 0 && this.bytes + chunk.length > JOB_BYTES) this.submit();
    const record = new Promise<Buffer>((resolve, reject) => this.waiting.push({ resolve, reject }));
    // A rejection is met when its turn comes; until then it must not count as unhandled.
    record.catch(() => undefined);
    this.pieces.push(new Uint8Array(chunk));
    this.bytes += chunk.length;
    return record;
  }

  /** Resolves when another chunk may come. */
  async room(): Promise<void> {
    while (this.running.size >= JOBS_AT_ONCE) await Promise.race(this.running);
  }

  /** Hands on what waits for a job to fill. */
  submit(): void {
    const { pieces, waiting, bytes } = this;
    if (pieces.length === 0) return;
    this.pieces = [];
    this.waiting = [];
    this.bytes = 0;
    const job = this.store(pieces, waiting, bytes).finally(() => this.running.delete(job));
    this.running.add(job);
  }

  private async store(pieces: readonly Uint8Array[], waiting: readonly Waiting[], bytes: number): Promise<void> {
    const lengths = pieces.map((piece) => piece.length);
    const [only] = pieces;
    const together = pieces.length === 1 && only !== undefined ? only : joined(pieces, bytes);
    try {
      const result = await this.crew.submit({ kind: 'chunks', bytes: together, lengths }, bytes >= JOB_BYTES / 4);
      const records = result.kind === 'store' ? asBuffer(result.records) : Buffer.alloc(0);
      for (const [i, { resolve }] of waiting.entries()) {
        resolve(records.subarray(CONTENT_RECORD_BYTES * i, CONTENT_RECORD_BYTES * (i + 1)));
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}

/** In memory of their own, which may be given to another thread. */
function joined(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
