import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import type { Capabilities } from '../crypto/capabilities.ts';
import type { ChunkOpener, ChunkType, SessionPublic } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import type { Opener } from '../pack/chunk-reader.ts';
import type { FromOpener, ToOpener } from './opener-messages.ts';
import { owned } from './owned.ts';

const MOST_THREADS = 4;
/** A thread makes much short-lived garbage and keeps nothing: a small young generation serves it as well as a large one. */
const YOUNG_MB = 2;
/** Sealed bytes up to which opening takes no longer than the way to another thread and back (about 60 µs). */
const AT_ONCE_BYTES = 32 * 1024;

/** Threads that open chunks unless told: one for each core, up to what one reader can use. */
export function defaultOpenerThreads(): number {
  return Math.min(MOST_THREADS, availableParallelism());
}

interface Waiting {
  readonly resolve: (plaintext: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

interface Member {
  readonly worker: Worker;
  readonly running: Map<number, Waiting>;
}

/**
 * Opens chunks on worker threads: small ones in this thread, and all of them when there are no threads. Threads start with the
 * first chunk that is worth one, so looking at a directory starts none.
 */
export class OpenerCrew implements Opener, AsyncDisposable {
  private readonly local: ChunkOpener;
  private readonly keys: Capabilities;
  private readonly threads: number;
  private readonly members: Member[] = [];
  private nextJob = 1;
  private failure: { readonly error: unknown } | undefined;

  /** @param threads 0: none, everything is done here. Threads use the node suite. */
  constructor(local: ChunkOpener, keys: Capabilities, threads: number) {
    this.local = local;
    this.keys = keys;
    this.threads = threads;
  }

  /** As `ChunkOpener.open`. Rejects with `INTERNAL` when a thread is gone. */
  open(type: ChunkType, id: Uint8Array, session: SessionPublic, sealed: Uint8Array): Uint8Array | Promise<Uint8Array> {
    if (this.threads === 0 || sealed.length <= AT_ONCE_BYTES) return this.local.open(type, id, session, sealed);
    if (this.failure !== undefined) throw this.failure.error;
    while (this.members.length < this.threads) this.members.push(this.start());
    const member = this.members.reduce((a, b) => (b.running.size < a.running.size ? b : a));
    const job = this.nextJob++;
    return new Promise((resolve, reject) => {
      member.running.set(job, { resolve, reject });
      const { sid, epk } = session;
      const own = owned(sealed);
      const message = { job, type, id: new Uint8Array(id), session: { sid, epk }, sealed: own } satisfies ToOpener;
      member.worker.postMessage(message, [own.buffer]);
    });
  }

  private start(): Member {
    const worker = new Worker(new URL('./worker-thread.js', import.meta.url), {
      env: {},
      argv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    const member: Member = { worker, running: new Map() };
    worker.on('message', (message: FromOpener) => settle(member, message));
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
    await Promise.all(this.members.map(({ worker }) => worker.terminate()));
  }
}

function settle({ running }: Member, message: FromOpener): void {
  const waiting = running.get(message.job);
  running.delete(message.job);
  if ('plaintext' in message) waiting?.resolve(message.plaintext);
  else {
    const { code, message: text, hint } = message;
    waiting?.reject(new CairnError(code, text, hint === undefined ? {} : { hint }));
  }
}
