import { cutLength, type CutRule } from '../chunker/fastcdc.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { invariant } from '../errors.ts';
import { ContentBuilder, type ContentReference, type StoreChunk } from '../tree/content.ts';

/** How tree streams are cut and where their chunks go. */
export interface TreeStorage {
  readonly table: Int32Array;
  readonly rule: CutRule;
  readonly store: StoreChunk;
}

/** How many entries wait for an earlier one, over all directories of a run. */
export interface WaitingEntries {
  count: number;
}

/**
 * The stream of one directory under construction. Places are reserved in name order and filled in any order; entries go into
 * the stream as soon as all before them are there, so a directory of any size takes the memory of a few chunks.
 */
export class DirectoryBuilder {
  private readonly storage: TreeStorage;
  private readonly waiting: WaitingEntries;
  private readonly content: ContentBuilder;
  private readonly onDone: (content: ContentReference) => void;
  private readonly slots = new Map<number, Buffer | undefined>();
  private nextSlot = 0;
  private nextOut = 0;
  private closed = false;
  private parts: Buffer[] = [];
  private partBytes = 0;

  constructor(storage: TreeStorage, waiting: WaitingEntries, onDone: (content: ContentReference) => void) {
    this.storage = storage;
    this.waiting = waiting;
    this.content = new ContentBuilder(storage.store);
    this.onDone = onDone;
  }

  /** Keeps a place for the next entry in name order. */
  reserve(): number {
    return this.nextSlot++;
  }

  /** Fills a place; `undefined` leaves the entry out. */
  fill(slot: number, entry: Buffer | undefined): void {
    if (slot !== this.nextOut) {
      this.slots.set(slot, entry);
      this.waiting.count += 1;
      return;
    }
    this.append(entry);
    this.nextOut += 1;
    while (this.slots.has(this.nextOut)) {
      this.append(this.slots.get(this.nextOut));
      this.slots.delete(this.nextOut);
      this.waiting.count -= 1;
      this.nextOut += 1;
    }
    this.finishIfDone();
  }

  /** No more places will be reserved. */
  close(): void {
    invariant(!this.closed, 'a directory is closed once');
    this.closed = true;
    this.finishIfDone();
  }

  private append(entry: Buffer | undefined): void {
    if (entry === undefined) return;
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32LE(entry.length);
    this.parts.push(length, entry);
    this.partBytes += 4 + entry.length;
    if (this.partBytes >= 2 * this.storage.rule.max) this.cut(false);
  }

  private finishIfDone(): void {
    if (!this.closed || this.nextOut !== this.nextSlot) return;
    this.cut(true);
    this.onDone(this.content.finish());
  }

  private cut(atEnd: boolean): void {
    const { table, rule, store } = this.storage;
    const stream = Buffer.concat(this.parts, this.partBytes);
    let at = 0;
    while (at < stream.length && (atEnd || stream.length - at >= rule.max)) {
      const length = cutLength(stream, at, stream.length, table, rule);
      const chunk = stream.subarray(at, at + length);
      this.content.add(store(CHUNK_TYPE.tree, chunk), length);
      at += length;
    }
    const rest = stream.subarray(at);
    this.parts = rest.length === 0 ? [] : [rest];
    this.partBytes = rest.length;
  }
}
