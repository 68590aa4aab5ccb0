import { Worker } from 'node:worker_threads';

import type { ChunkType } from '../crypto/chunk-crypto.ts';
import { endThread } from '../flow/threads.ts';
import type { ByteString } from '../host/byte-path.ts';
import { toHex } from '../ids.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import type { ContentReference } from '../tree/content.ts';
import { DirectoryReader } from '../tree/directory-reader.ts';
import { isDirectory } from '../tree/encoded-entry.ts';
import { entryContent } from '../tree/entry.ts';
import { onlyDamage, type EarlierArchive } from './earlier-trees.ts';

/** How many directories it is ahead of the walk. */
const AHEAD = 128;
/** Directories that are handed to the thread at once. Fewer in all are not worth a thread. */
const BATCH = 16;
/** Chunks that are read ahead before the walk enters the next directory: a directory of a million files has thousands. */
const CHUNKS_AHEAD = 32;
/** Chunks that were read ahead and not asked for yet. Those of directories that are gone never are. */
const CHUNKS_KEPT = 2 * AHEAD;

/** What the thread is given. */
export interface LookAheadSetup {
  /** One number: how many of the announced directories the walk has passed. */
  readonly passed: SharedArrayBuffer;
}

/** Paths of directories, in the order of the walk. */
export type LookAheadMessage = readonly ByteString[];

/**
 * Goes through the trees of the earlier archive some directories before the walk, and has a second thread ask for the status
 * of everything in them. The answers are thrown away: they leave the inodes in the kernel's cache, where the walk finds them.
 * From a cold cache that takes a third off an unchanged backup. Only directories of the earlier archive are looked at, so
 * nothing that is left out is touched. The walk reads the trees through this source, so each chunk is read once.
 */
export class LookAhead implements ChunkSource {
  private readonly source: ChunkSource;
  private readonly stack: { readonly path: ByteString; readonly reader: DirectoryReader }[] = [];
  /** Chunks that were read ahead, by id. */
  private readonly chunks = new Map<string, Uint8Array>();
  /** How many were read since the walk entered a directory. */
  private loads = 0;
  /** Directories ahead of the walk. */
  private readonly queue: ByteString[] = [];
  private unsent: ByteString[] = [];
  private thread: Worker | undefined;
  private readonly passed = new Int32Array(new SharedArrayBuffer(4));

  constructor({ root, source }: EarlierArchive) {
    this.source = source;
    if (root.content !== null) this.push('', root.content);
  }

  /** A chunk of the earlier trees, from memory when it was read ahead. */
  async chunk(type: ChunkType, id: Uint8Array): Promise<Uint8Array> {
    const key = toHex(id);
    const kept = this.chunks.get(key);
    if (kept === undefined) return await this.source.chunk(type, id);
    this.chunks.delete(key);
    return kept;
  }

  /** The walk has come to a directory. */
  entered(path: ByteString): void {
    this.loads = 0;
    const at = this.queue.indexOf(path);
    if (at === -1) return;
    this.queue.splice(0, at + 1);
    Atomics.add(this.passed, 0, at + 1);
  }

  /** Goes on until it is far enough ahead. */
  async advance(): Promise<void> {
    while (this.queue.length < AHEAD && this.loads < CHUNKS_AHEAD) {
      const top = this.stack.at(-1);
      if (top === undefined) break;
      try {
        const entry = top.reader.next();
        if (entry === 'more') await this.load(top.reader);
        else if (entry === undefined) this.stack.pop();
        else if (isDirectory(entry)) this.announce(`${top.path}/${entry.name}`, entryContent(entry.bytes));
      } catch (error) {
        // The walk will meet the same damage, and read the files.
        onlyDamage(error);
        this.stack.pop();
      }
    }
    if (this.unsent.length >= BATCH) this.send();
  }

  private async load(reader: DirectoryReader): Promise<void> {
    this.loads += 1;
    await reader.load();
  }

  private announce(path: ByteString, content: ContentReference | null): void {
    this.queue.push(path);
    this.unsent.push(path);
    if (content !== null) this.push(path, content);
  }

  private push(path: ByteString, content: ContentReference): void {
    const { source, chunks } = this;
    const keeping: ChunkSource = {
      async chunk(type, id) {
        const bytes = await source.chunk(type, id);
        chunks.set(toHex(id), bytes);
        for (const oldest of chunks.keys()) {
          if (chunks.size <= CHUNKS_KEPT) break;
          chunks.delete(oldest);
        }
        return bytes;
      },
    };
    this.stack.push({ path, reader: new DirectoryReader(keeping, content) });
  }

  private send(): void {
    this.thread ??= this.start();
    this.thread.postMessage(this.unsent satisfies LookAheadMessage);
    this.unsent = [];
  }

  private start(): Worker {
    const workerData: LookAheadSetup = { passed: this.passed.buffer };
    const thread = new Worker(new URL('./look-ahead-thread.js', import.meta.url), { env: {}, argv: [], workerData });
    thread.unref();
    // Without it the walk is slower, and nothing else: what fails for the thread fails for the walk, which reports it.
    thread.on('error', () => undefined);
    return thread;
  }

  async close(): Promise<void> {
    if (this.thread !== undefined) await endThread(this.thread);
  }
}
