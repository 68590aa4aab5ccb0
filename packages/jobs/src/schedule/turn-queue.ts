import { ERROR_TABLE, EXIT_INCOMPLETE, type Clock } from '@cairn/core';

import type { RunTrigger } from '../runs/run-events.ts';

/** A job that waits for its turn. */
export interface Turn {
  readonly job: string;
  readonly trigger: RunTrigger;
  /** From 1. */
  readonly attempt: number;
}

export interface TurnQueueOptions {
  readonly clock: Clock;
  /** Runs a job in a process of its own and gives its exit status; ends it early when the signal fires. */
  readonly start: (turn: Turn, signal: AbortSignal) => Promise<number>;
  /** How often a job that fails is run in all. Default: 1. */
  readonly mostAttempts?: number;
  /** Milliseconds after which no job is begun any more, from the first turn on. Default: no end. */
  readonly mostMs?: number;
  /** Milliseconds after which a job has to let another one go first, if one waits. It goes on at its next turn. Default: none. */
  readonly sliceMs?: number;
  /** Hears of each turn that ended. */
  readonly onEnd?: (turn: Turn, exit: number, next: 'done' | 'again' | 'given up') => void;
}

/**
 * Runs jobs one after the other. One that fails is tried again after all others that wait, while attempts and time remain; one that is
 * too long lets others go first. A job stands in the queue once.
 */
export class TurnQueue {
  private readonly options: TurnQueueOptions;
  private readonly waiting: Turn[] = [];
  private readonly exits = new Map<string, number>();
  private running: string | undefined;
  private draining: Promise<void> | undefined;
  private startMs: number | undefined;
  private onAdded: () => void = () => undefined;

  constructor(options: TurnQueueOptions) {
    this.options = options;
  }

  /** True when the job waits or runs. */
  has(job: string): boolean {
    return this.running === job || this.waiting.some((turn) => turn.job === job);
  }

  /** Lets a job wait for its turn, unless it does already. One that runs now may wait for another. */
  add(job: string, trigger: RunTrigger): void {
    if (this.waiting.some((turn) => turn.job === job)) return;
    this.waiting.push({ job, trigger, attempt: 1 });
    this.onAdded();
  }

  /** Runs all that wait, and what is added meanwhile. Gives the last exit status of each job that had a turn. */
  async drain(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    this.draining ??= this.runAll(signal).finally(() => {
      this.draining = undefined;
    });
    await this.draining;
    return this.exits;
  }

  private async runAll(signal: AbortSignal): Promise<void> {
    const { clock, mostMs = Infinity } = this.options;
    this.startMs ??= clock.monotonicMs();
    for (let turn = this.waiting.shift(); turn !== undefined; turn = this.waiting.shift()) {
      if (signal.aborted || clock.monotonicMs() - this.startMs > mostMs) {
        this.waiting.length = 0;
        return;
      }
      this.running = turn.job;
      const { exit, wasCut } = await this.runOne(turn, signal);
      this.running = undefined;
      this.exits.set(turn.job, exit);
      this.settle(turn, exit, wasCut, signal.aborted);
    }
  }

  private settle(turn: Turn, exit: number, wasCut: boolean, isStopped: boolean): void {
    const { mostAttempts = 1, onEnd } = this.options;
    const isGood = exit === 0 || exit === EXIT_INCOMPLETE;
    // What is wrong with the job itself does not pass.
    const isHopeless = exit === ERROR_TABLE.USAGE.exit || (!wasCut && turn.attempt >= mostAttempts);
    const isAgain = !isGood && !isHopeless && !isStopped && !this.waiting.some(({ job }) => job === turn.job);
    // A turn that was cut short is no failure.
    if (isAgain) this.waiting.push(wasCut ? turn : { ...turn, attempt: turn.attempt + 1 });
    onEnd?.(turn, exit, isGood ? 'done' : isAgain ? 'again' : 'given up');
  }

  /** A job that is alone has all the time; the slice begins to count when another one waits. */
  private async runOne(turn: Turn, signal: AbortSignal): Promise<{ readonly exit: number; readonly wasCut: boolean }> {
    const { sliceMs, start, clock } = this.options;
    const slice = new AbortController();
    const startMs = clock.monotonicMs();
    let timer: NodeJS.Timeout | undefined;
    this.onAdded = (): void => {
      if (sliceMs === undefined || timer !== undefined || this.waiting.length === 0) return;
      timer = setTimeout(() => slice.abort(), Math.max(0, startMs + sliceMs - clock.monotonicMs()));
    };
    this.onAdded();
    try {
      const exit = await start(turn, AbortSignal.any([signal, slice.signal]));
      return { exit, wasCut: slice.signal.aborted && exit === ERROR_TABLE.CANCELLED.exit };
    } finally {
      clearTimeout(timer);
      this.onAdded = () => undefined;
    }
  }
}
