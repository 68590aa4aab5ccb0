import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import type { Capabilities } from '../crypto/capabilities.ts';
import { CHUNK_TYPE, type ChunkOpener, type ChunkType, type SessionPublic } from '../crypto/chunk-crypto.ts';
import { CairnError, invariant } from '../errors.ts';
import { endThread } from '../flow/threads.ts';
import type { FilePart, Opener } from '../pack/chunk-reader.ts';
import { joined } from './joined.ts';
import type { FromOpener, OpenJob, ToOpener } from './opener-messages.ts';
import type { SharedMemory } from './shared-memory.ts';

const MOST_THREADS = 4;
/** A thread makes much short-lived garbage and keeps nothing: a small young generation serves it as well as a large one. */
const YOUNG_MB = 2;
/** Sealed bytes up to which opening takes no longer than the way to another thread and back (about 60 µs). */
const AT_ONCE_BYTES = 32 * 1024;

/** Chunks that nobody waits for yet are sent to a thread together, up to so many bytes and chunks. */
const BATCH_BYTES = 256 * 1024;
const BATCH_CHUNKS = 32;

/** Threads that open chunks unless told: one for each core, up to what one reader can use. */
export function defaultOpenerThreads(): number {
  return Math.min(MOST_THREADS, availableParallelism());
}

interface Waiting {
  readonly resolve: (plaintext: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** A chunk on its way to a thread. */
interface Request extends Waiting {
  readonly type: ChunkType;
  readonly id: Uint8Array;
  readonly session: SessionPublic;
  readonly sealed: Uint8Array | FilePart;
}

interface Member {
  readonly worker: Worker;
  readonly running: Map<number, Waiting>;
}

/**
 * Opens chunks on worker threads: small ones that somebody waits for in this thread, and all of them when there are no threads.
 * Threads start with the first chunk that is worth one, so looking at a directory starts none.
 */
export class OpenerCrew implements Opener, AsyncDisposable {
  private readonly local: ChunkOpener;
  private readonly keys: Capabilities;
  private readonly threads: number;
  private readonly shared: SharedMemory;
  private readonly members: Member[] = [];
  private nextJob = 1;
  private failure: { readonly error: unknown } | undefined;
  private batch: Request[] = [];
  private batchBytes = 0;

  /**
   * @param threads 0: none, everything is done here. Threads use the node suite.
   * @param shared is told of chunks that lie in one memory.
   */
  constructor(local: ChunkOpener, keys: Capabilities, threads: number, shared: SharedMemory) {
    this.shared = shared;
    this.local = local;
    this.keys = keys;
    this.threads = threads;
  }

  /** As `ChunkOpener.open`. Rejects with `INTERNAL` when a thread is gone. */
  open(
    type: ChunkType,
    id: Uint8Array,
    session: SessionPublic,
    sealed: Uint8Array,
    urgent = true,
  ): Uint8Array | Promise<Uint8Array> {
    const isSmall = sealed.length <= AT_ONCE_BYTES;
    if (this.threads === 0 || (isSmall && urgent)) return this.local.open(type, id, session, sealed);
    return this.ask(type, id, session, sealed, urgent || !isSmall);
  }

  /**
   * Has a thread read the chunk too: the way to a file thread and back for each of open, read and close takes longer than all of
   * it. Only file data; packs of trees are kept whole.
   */
  openFile(
    type: ChunkType,
    id: Uint8Array,
    session: SessionPublic,
    part: FilePart,
    urgent: boolean,
  ): Promise<Uint8Array> | undefined {
    const isWorthThreads = this.members.length > 0 || !urgent || part.length > AT_ONCE_BYTES;
    if (this.threads === 0 || type !== CHUNK_TYPE.data || !isWorthThreads) return undefined;
    return this.ask(type, id, session, part, urgent);
  }

  /** Has the disk bring a pack of which much will be read soon. Nothing without threads: this one must not wait for a disk. */
  readSoon(file: string): void {
    const member = this.quietest();
    member?.worker.postMessage({ soon: file } satisfies ToOpener);
  }

  /** Starts the threads that are not there yet, so that whoever reads next need not wait for that. */
  startThreads(): void {
    while (this.members.length < this.threads) this.members.push(this.start());
  }

  private quietest(): Member | undefined {
    return this.members.reduce<Member | undefined>(
      (a, b) => (a === undefined || b.running.size < a.running.size ? b : a),
      undefined,
    );
  }

  private ask(
    type: ChunkType,
    id: Uint8Array,
    session: SessionPublic,
    sealed: Uint8Array | FilePart,
    urgent: boolean,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const request = { type, id, session, sealed, resolve, reject };
      if (urgent) return this.send([request], true);
      this.batch.push(request);
      this.batchBytes += sealed.length;
      if (this.batch.length >= BATCH_CHUNKS || this.batchBytes >= BATCH_BYTES) this.sendBatch();
      // What is asked for in one go is there by then.
      else if (this.batch.length === 1) setImmediate(() => this.sendBatch());
    });
  }

  private sendBatch(): void {
    const { batch } = this;
    this.batch = [];
    this.batchBytes = 0;
    if (batch.length > 0) this.send(batch, false);
  }

  private send(requests: readonly Request[], urgent: boolean): void {
    if (this.failure !== undefined) {
      for (const { reject } of requests) reject(this.failure.error);
      return;
    }
    this.startThreads();
    const member = this.quietest();
    invariant(member !== undefined, 'there are threads');
    const jobs: OpenJob[] = [];
    for (const { type, id, session, sealed, resolve, reject } of requests) {
      const job = this.nextJob++;
      member.running.set(job, { resolve, reject });
      const { sid, epk } = session;
      const from = sealed instanceof Uint8Array ? sealed.length : sealed;
      jobs.push({ job, type, id: new Uint8Array(id), session: { sid, epk }, from });
    }
    const sealed = joined(
      requests.flatMap((request) => (request.sealed instanceof Uint8Array ? [request.sealed] : [])),
    );
    member.worker.postMessage({ jobs, urgent, sealed } satisfies ToOpener, [sealed.buffer]);
  }

  private start(): Member {
    const worker = new Worker(new URL('./worker-thread.js', import.meta.url), {
      env: {},
      argv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    const member: Member = { worker, running: new Map() };
    worker.on('message', (message: FromOpener) => this.settle(member, message));
    worker.on('error', (error) => this.fail(error));
    worker.on('exit', () => this.fail(new CairnError('INTERNAL', 'a thread that opens chunks ended before its work')));
    worker.postMessage({ keys: this.keys } satisfies ToOpener);
    // An idle crew keeps no program from ending.
    worker.unref();
    return member;
  }

  private fail(error: unknown): void {
    this.failure ??= { error };
    for (const { running } of this.members) {
      for (const { reject } of running.values()) reject(error);
      running.clear();
    }
  }

  /** Ends the threads; what they still had rejects with `CANCELLED`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.fail(new CairnError('CANCELLED', 'reading was stopped'));
    await Promise.all(this.members.map(({ worker }) => endThread(worker)));
  }

  private settle({ running }: Member, { opened, plaintext }: FromOpener): void {
    let at = 0;
    const parts = opened.filter((result) => 'length' in result).length;
    if (parts > 1) this.shared.note(plaintext.buffer, parts);
    for (const result of opened) {
      const waiting = running.get(result.job);
      running.delete(result.job);
      if ('length' in result) {
        waiting?.resolve(plaintext.subarray(at, at + result.length));
        at += result.length;
      } else {
        const { code, message, hint } = result;
        waiting?.reject(new CairnError(code, message, hint === undefined ? {} : { hint }));
      }
    }
  }
}
