import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import { CairnError } from '../errors.ts';
import { endThread } from '../flow/threads.ts';
import type { BuiltPack } from '../pack/builder.ts';
import { stopped, type ContentProcessor } from './content-processor.ts';
import type { ContentCounts, FromWorker, Job, JobResult, ProcessorSetup, ToWorker } from './messages.ts';

/** Jobs given to a thread before the first is answered: hides the way there and back. */
const JOBS_AHEAD = 2;

/** A thread makes much short-lived garbage and keeps nothing: a small young generation serves it as well as a large one. */
const YOUNG_MB = 6;

/** Threads that a backup uses unless told: one for each core, at most 4: each takes some 70 MB. */
export function defaultThreads(): number {
  return Math.min(4, availableParallelism());
}

const NOTHING: ContentCounts = { newBytes: 0, storedBytes: 0, chunks: 0, newChunks: 0 };

interface Waiting {
  readonly job: Job;
  readonly resolve: (result: JobResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Member {
  readonly worker: Worker;
  readonly running: Map<number, Waiting>;
  counts: ContentCounts;
  flushed: (() => void) | undefined;
  /** Called when the thread does nothing any more. */
  stopped: () => void;
}

/**
 * Runs content jobs: on worker threads, or in this thread when there are none. One queue, first come first served. Threads
 * start with the first job that is worth it, so a backup that reads nothing starts none.
 */
export class Crew {
  private readonly setup: ProcessorSetup;
  private readonly local: ContentProcessor;
  private readonly threads: number;
  private readonly storePack: (pack: BuiltPack) => Promise<void>;
  private readonly queue: Waiting[] = [];
  private readonly members: Member[] = [];
  private localTail: Promise<unknown> = Promise.resolve();
  private localRunning = 0;
  private nextId = 1;
  private failure: { readonly error: unknown } | undefined;

  constructor(
    setup: ProcessorSetup,
    local: ContentProcessor,
    threads: number,
    storePack: (pack: BuiltPack) => Promise<void>,
  ) {
    this.setup = setup;
    this.local = local;
    this.threads = threads;
    this.storePack = storePack;
  }

  /** Jobs that are queued or running. */
  get load(): number {
    return this.queue.length + this.localRunning + this.members.reduce((sum, member) => sum + member.running.size, 0);
  }

  /** Jobs that keep everybody busy; more would only wait. */
  get enough(): number {
    return Math.max(1, this.threads) * (JOBS_AHEAD + 1);
  }

  /** What all processors have done so far. */
  get counts(): ContentCounts {
    return [this.local.counts, ...this.members.map((member) => member.counts)].reduce((sum, part) => ({
      newBytes: sum.newBytes + part.newBytes,
      storedBytes: sum.storedBytes + part.storedBytes,
      chunks: sum.chunks + part.chunks,
      newChunks: sum.newChunks + part.newChunks,
    }));
  }

  /** @param heavy worth a thread; otherwise done here when no thread runs yet. */
  submit(job: Job, heavy: boolean): Promise<JobResult> {
    if (this.failure !== undefined) return Promise.reject(this.failure.error);
    if (heavy && this.threads > 0 && this.members.length === 0) this.start();
    if (this.members.length === 0) return this.runHere(job);
    return new Promise((resolve, reject) => {
      this.queue.push({ job, resolve, reject });
      this.dispatch();
    });
  }

  private runHere(job: Job): Promise<JobResult> {
    this.localRunning += 1;
    const result = this.localTail.then(() => {
      this.assertWorking();
      return this.local.run(job);
    });
    this.localTail = result.then(
      () => (this.localRunning -= 1),
      () => (this.localRunning -= 1),
    );
    return result;
  }

  private start(): void {
    for (let i = 0; i < this.threads; i++) {
      const worker = new Worker(new URL('./worker-thread.js', import.meta.url), {
        env: {},
        argv: [],
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
      });
      const member: Member = {
        worker,
        running: new Map(),
        counts: NOTHING,
        flushed: undefined,
        stopped: () => undefined,
      };
      worker.on('message', (message: FromWorker) => this.receive(member, message));
      worker.on('error', (error) => this.fail(error));
      worker.on('exit', (code) => {
        member.stopped();
        if (code !== 0) this.fail(new CairnError('INTERNAL', `a worker thread ended with status ${code}`));
      });
      this.send(member, { type: 'setup', setup: this.setup });
      this.members.push(member);
    }
  }

  private send(member: Member, message: ToWorker, memory: readonly ArrayBuffer[] = []): void {
    member.worker.postMessage(message, memory);
  }

  private dispatch(): void {
    for (let ahead = 1; ahead <= JOBS_AHEAD; ahead++) {
      for (const member of this.members) {
        if (member.running.size >= ahead) continue;
        const waiting = this.queue.shift();
        if (waiting === undefined) return;
        const id = this.nextId++;
        member.running.set(id, waiting);
        const { job } = waiting;
        const gives = job.kind === 'chunks' || job.kind === 'sealed';
        this.send(member, { type: 'job', id, job }, gives ? [job.bytes.buffer as ArrayBuffer] : []);
      }
    }
  }

  private receive(member: Member, message: FromWorker): void {
    switch (message.type) {
      case 'done':
        member.counts = message.counts;
        member.running.get(message.id)?.resolve(message.result);
        member.running.delete(message.id);
        this.dispatch();
        return;
      case 'pack':
        this.storePack(message.pack).then(
          () => {
            const memory = message.pack.object.buffer as ArrayBuffer;
            const { name } = message.pack;
            member.worker.postMessage({ type: 'pack-stored', name, memory } satisfies ToWorker, [memory]);
          },
          (error: unknown) => this.fail(error),
        );
        return;
      case 'flushed':
        member.counts = message.counts;
        member.flushed?.();
        return;
      case 'stopped':
        member.stopped();
        return;
      case 'failed':
        this.fail(
          new CairnError(message.code, message.message, message.hint === undefined ? {} : { hint: message.hint }),
        );
        return;
    }
  }

  private fail(error: unknown): void {
    if (this.failure !== undefined) return;
    this.failure = { error };
    for (const waiting of this.queue.splice(0)) waiting.reject(error);
    for (const member of this.members) {
      for (const waiting of member.running.values()) waiting.reject(error);
      member.running.clear();
      member.flushed?.();
    }
  }

  /** Resolves when every processor has handed on its last pack and that pack is durable. */
  async flush(): Promise<void> {
    await this.localTail;
    await this.local.flush();
    // A thread whose pack was not stored never answers.
    this.assertWorking();
    const flushes = this.members.map(
      (member) =>
        new Promise<void>((resolve) => {
          member.flushed = resolve;
          this.send(member, { type: 'flush' });
        }),
    );
    await Promise.all(flushes);
    this.assertWorking();
  }

  private assertWorking(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Ends the threads as soon as they have closed what they opened. Jobs that are not done are rejected. */
  async stop(): Promise<void> {
    this.fail(stopped());
    Atomics.store(new Int32Array(this.setup.stop), 0, 1);
    await Promise.all([this.localTail, ...this.members.map((member) => this.stopThread(member))]);
  }

  private async stopThread(member: Member): Promise<void> {
    const idle = new Promise<void>((resolve) => (member.stopped = resolve));
    this.send(member, { type: 'stop' });
    if (member.worker.threadId !== -1) await idle;
    await endThread(member.worker);
  }
}
