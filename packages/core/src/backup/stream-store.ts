import type { Cutter } from '../chunker/cutter.ts';
import { ContentBuilder, type ContentReference, type StoreChunk } from '../tree/content.ts';
import type { ChunkSpreader } from './chunk-spreader.ts';

/** Chunks of one stream whose records are waited for at most; the bytes are bounded by the jobs under way. */
const CHUNKS_AHEAD = 512;

/** What became of a stream. A source that fails is a value; a store that fails is an error. */
export type StreamResult =
  | {
      readonly ok: true;
      readonly length: number;
      /** Settles once the chunks are stored, at the latest after `ChunkSpreader.submit`. */
      readonly content: Promise<ContentReference>;
    }
  | { readonly ok: false; readonly length: number; readonly reason: unknown };

/**
 * Cuts streams like files and has the chunks stored. One stream after the other: they share a window. A source that is faster
 * than the store waits.
 */
export class StreamStore {
  private readonly cutter: Cutter;
  private readonly spreader: ChunkSpreader;
  private readonly store: StoreChunk;

  /** @param cutter over a window that holds a chunk of the greatest length and more. @param store for chunk lists. */
  constructor(cutter: Cutter, spreader: ChunkSpreader, store: StoreChunk) {
    this.cutter = cutter;
    this.spreader = spreader;
    this.store = store;
  }

  /**
   * Reads a stream to its end. Nothing of a stream that fails is ever referred to. Rejects when the store or the crew does.
   * @param onBytes hears of the bytes of each piece.
   * @param signal ends the wait for a source that says nothing.
   */
  async read(
    pieces: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
    onBytes: (bytes: number) => void = () => undefined,
  ): Promise<StreamResult> {
    const stream = new StreamChunks(this.store);
    const source = new PieceReader(pieces, signal);
    let filled = 0;
    let length = 0;
    try {
      for (let piece = await source.next(); piece !== undefined; piece = await source.next()) {
        length += piece.length;
        onBytes(piece.length);
        for (let at = 0; at < piece.length;) {
          const window = this.cutter.window();
          const part = piece.subarray(at, at + window.length - filled);
          window.set(part, filled);
          filled += part.length;
          at += part.length;
          if (filled === window.length) filled = await this.cutWindow(stream, filled, false);
        }
      }
    } finally {
      source.close();
    }
    if (source.failure !== undefined) return { ok: false, length, reason: source.failure.reason };
    await this.cutWindow(stream, filled, true);
    return { ok: true, length, content: stream.finish() };
  }

  /** Gives the bytes that are left at the beginning of the window: the last piece, unless the stream ends there. */
  private async cutWindow(stream: StreamChunks, filled: number, atEnd: boolean): Promise<number> {
    const ends = filled === 0 ? [] : this.cutter.cut(filled);
    if (!atEnd && ends.length > 1) ends.pop();
    let start = 0;
    for (const end of ends) {
      await this.spreader.room();
      const chunk = this.cutter.window().subarray(start, end);
      stream.add(this.spreader.add(chunk), chunk.length);
      if (stream.waiting > CHUNKS_AHEAD) {
        // The oldest may wait for its job to fill.
        this.spreader.submit();
        while (stream.waiting > CHUNKS_AHEAD / 2) await stream.takeOldest();
      }
      start = end;
    }
    this.cutter.window().copyWithin(0, start, filled);
    return filled - start;
  }
}

/** The chunks of one stream, put into its content in order, however they come. */
class StreamChunks {
  private readonly builder: ContentBuilder;
  private readonly records: Promise<Buffer>[] = [];

  constructor(store: StoreChunk) {
    this.builder = new ContentBuilder(store);
  }

  get waiting(): number {
    return this.records.length;
  }

  add(record: Promise<Buffer>, length: number): void {
    if (length > 0) this.records.push(record);
  }

  async takeOldest(): Promise<void> {
    const record = await this.records.shift();
    if (record !== undefined) this.builder.addRecords(record);
  }

  async finish(): Promise<ContentReference> {
    while (this.records.length > 0) await this.takeOldest();
    return this.builder.finish();
  }
}

/** Asks a source for its pieces; what it throws is kept apart from what storing throws. */
class PieceReader {
  failure: { readonly reason: unknown } | undefined;
  private readonly iterator: AsyncIterator<Uint8Array>;
  private readonly signal: AbortSignal;
  private readonly aborted: Promise<never>;
  private ended = false;
  private onAbort: () => void = () => undefined;

  constructor(pieces: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    this.iterator = pieces[Symbol.asyncIterator]();
    this.signal = signal;
    this.aborted = new Promise((_, reject) => (this.onAbort = () => reject(signal.reason as Error)));
    this.aborted.catch(() => undefined);
    if (signal.aborted) this.onAbort();
    signal.addEventListener('abort', this.onAbort);
  }

  /** Undefined at the end, or when the source failed. */
  async next(): Promise<Uint8Array | undefined> {
    try {
      const next = await Promise.race([this.iterator.next(), this.aborted]);
      if (next.done !== true) return next.value;
      this.ended = true;
    } catch (reason) {
      this.failure = { reason };
    }
    return undefined;
  }

  /** Tells a source that has more that nobody wants it; it may take its time. */
  close(): void {
    this.signal.removeEventListener('abort', this.onAbort);
    if (this.ended) return;
    const closing = this.iterator.return?.();
    closing?.catch(() => undefined);
  }
}
