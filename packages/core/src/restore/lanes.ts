import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import { CairnError, type ErrorCode } from '../errors.ts';
import { endThread } from '../flow/threads.ts';
import type { UnitRunner } from './unit-runner.ts';
import type { RunnerSetup, UnitResult, WorkUnit } from './work-unit.ts';

/** Units given to a thread before the first is answered: hides the way there and back. */
const UNITS_AHEAD = 2;
const MOST_THREADS = 4;
/** Garbage of a thread is short-lived and small: collecting it often is cheap, and keeps it in the processor's cache. */
const YOUNG_MB = 2;

/** What goes to a worker thread, and what comes back. */
export type ToRestoreWorker = { readonly setup: RunnerSetup } | { readonly id: number; readonly unit: WorkUnit };
export type FromRestoreWorker =
  | { readonly id: number; readonly result: UnitResult }
  | { readonly id: number; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined };

/** Threads that a restore uses unless told: one for each core, up to what still shares one disk well. */
export function defaultRestoreThreads(): number {
  return Math.min(MOST_THREADS, availableParallelism());
}

interface Waiting {
  readonly unit: WorkUnit;
  readonly resolve: (result: UnitResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Lane {
  readonly worker: Worker;
  readonly running: Map<number, Waiting>;
  whenIdle: (() => void) | undefined;
}

/**
 * Runs units: on worker threads, or in this thread when there are none. One queue, first come first served. Threads start when
 * there is work that is worth it, so restoring one small file starts none.
 */
export class Lanes {
  private readonly setup: RunnerSetup;
  private readonly local: UnitRunner;
  private readonly threads: number;
  private readonly queue: Waiting[] = [];
  private readonly lanes: Lane[] = [];
  private nextId = 1;
  private failure: { readonly error: unknown } | undefined;

  constructor(setup: RunnerSetup, local: UnitRunner, threads: number) {
    this.setup = setup;
    this.local = local;
    this.threads = threads;
  }

  /** Units that keep every thread busy; more would only wait. */
  get width(): number {
    return Math.max(1, this.threads) * UNITS_AHEAD;
  }

  /** Starts the threads, unless they run or there shall be none. */
  start(): void {
    while (this.lanes.length < this.threads) this.lanes.push(this.startLane());
  }

  /**
   * Does the work of a unit. Its bytes go to another thread and must not be used again. Rejects with what `UnitRunner.run`
   * throws, with `INTERNAL` when a thread dies.
   */
  async run(unit: WorkUnit): Promise<UnitResult> {
    if (this.failure !== undefined) throw this.failure.error;
    if (this.lanes.length === 0) {
      // Lets the reads that came back meanwhile ask for more.
      await new Promise((resolve) => setImmediate(resolve));
      return this.local.run(unit);
    }
    return await new Promise((resolve, reject) => {
      this.queue.push({ unit, resolve, reject });
      this.dispatch();
    });
  }

  /**
   * Ends the threads, each when the units that it has are done: a file is finished or removed, never left half written.
   * Resolves when they are gone.
   */
  async stop(): Promise<void> {
    this.fail(new CairnError('CANCELLED', 'the restore was stopped'));
    await Promise.all(
      this.lanes.map(async (lane) => {
        if (lane.running.size > 0) await new Promise<void>((resolve) => (lane.whenIdle = resolve));
        await endThread(lane.worker);
      }),
    );
  }

  private startLane(): Lane {
    const worker = new Worker(new URL('./worker-thread.js', import.meta.url), {
      env: {},
      argv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    const lane: Lane = { worker, running: new Map(), whenIdle: undefined };
    worker.on('message', (message: FromRestoreWorker) => this.receive(lane, message));
    worker.on('error', (error) => this.lose(lane, error));
    worker.on('exit', (code) =>
      this.lose(lane, new CairnError('INTERNAL', `a worker thread ended with status ${code}`)),
    );
    worker.postMessage({ setup: this.setup } satisfies ToRestoreWorker);
    return lane;
  }

  private dispatch(): void {
    for (let ahead = 1; ahead <= UNITS_AHEAD; ahead++) {
      for (const lane of this.lanes) {
        if (lane.running.size >= ahead) continue;
        const waiting = this.queue.shift();
        if (waiting === undefined) return;
        const { unit } = waiting;
        const id = this.nextId++;
        lane.running.set(id, waiting);
        const message: ToRestoreWorker = { id, unit };
        const parts = [unit.bytes, unit.ids, unit.entries, unit.chunks, unit.files, unit.writes];
        lane.worker.postMessage(
          message,
          parts.map((part) => part.buffer as ArrayBuffer),
        );
      }
    }
  }

  private receive(lane: Lane, message: FromRestoreWorker): void {
    const waiting = lane.running.get(message.id);
    lane.running.delete(message.id);
    if ('result' in message) waiting?.resolve(message.result);
    else {
      const { code, message: text, hint } = message;
      waiting?.reject(new CairnError(code, text, hint === undefined ? {} : { hint }));
    }
    if (lane.running.size === 0) lane.whenIdle?.();
    this.dispatch();
  }

  /** A thread is gone: what it had is lost, and nothing more is begun. */
  private lose(lane: Lane, error: unknown): void {
    this.fail(error);
    for (const waiting of lane.running.values()) waiting.reject(error);
    lane.running.clear();
    lane.whenIdle?.();
  }

  private fail(error: unknown): void {
    this.failure ??= { error };
    for (const waiting of this.queue.splice(0)) waiting.reject(error);
  }
}
