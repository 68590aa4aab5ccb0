import { RUNS, type Environment } from '@cairn/core';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';

import type { Claim } from './claim.ts';
import type { EndedEvent, NewEvent, RunEvent, StartedEvent } from './run-events.ts';
import { timeText } from './run-id.ts';

/** Events that are written however long the record has become: without them nobody knows how the run ended. */
const ALWAYS: readonly RunEvent['type'][] = ['started', 'step-started', 'step-ended', 'ended'];

/**
 * Writes the record of one run, line by line as things happen, and holds the claim of its job. A record that cannot be written
 * must not keep data from being saved: the first such failure is kept, and nothing throws.
 */
export class RunWriter {
  readonly id: string;
  /** What was lost of the record; undefined when nothing was. */
  failure: unknown;
  private readonly environment: Environment;
  private readonly claim: Claim;
  private readonly listener: ((event: RunEvent) => void) | undefined;
  private readonly startMs: number;
  private fd: number | undefined;
  private bytes = 0;
  private isTorn = false;
  private isFull = false;

  constructor(
    path: string,
    started: Omit<StartedEvent, 'at' | 'type'>,
    surroundings: {
      readonly environment: Environment;
      readonly claim: Claim;
      readonly onEvent?: ((event: RunEvent) => void) | undefined;
    },
  ) {
    this.id = started.run;
    this.environment = surroundings.environment;
    this.claim = surroundings.claim;
    this.listener = surroundings.onEvent;
    this.startMs = this.environment.clock.monotonicMs();
    this.fd = openSync(path, 'ax', 0o600);
    this.append({ type: 'started', ...started });
  }

  /** Adds the time and writes the event. */
  append(event: NewEvent): void {
    // The type first, then the time: a line is read by people too.
    const { type, ...rest } = event;
    const whole = { type, at: timeText(this.environment.clock.nowNs()), ...rest } as RunEvent;
    this.listener?.(whole);
    this.write(whole);
  }

  /** Seconds since the run began, by a clock that nobody sets. */
  get seconds(): number {
    return Math.round(this.environment.clock.monotonicMs() - this.startMs) / 1000;
  }

  /** Writes how the run ended, makes the record durable, and frees the job for the next run. */
  async end(how: Omit<EndedEvent, 'at' | 'type' | 'seconds'>): Promise<void> {
    this.append({ type: 'ended', ...how, seconds: this.seconds });
    await this.abandon();
  }

  /** Closes the record as it is: the run then counts as lost. */
  async abandon(): Promise<void> {
    const { fd } = this;
    this.fd = undefined;
    if (fd !== undefined) {
      this.keepingFailure(() => fsyncSync(fd));
      closeSync(fd);
    }
    await this.claim.release();
  }

  private write(event: RunEvent): void {
    const { fd } = this;
    if (fd === undefined || (this.bytes > RUNS.eventBytes && !ALWAYS.includes(event.type))) {
      this.tellFull(event);
      return;
    }
    const line = Buffer.from(`${this.isTorn ? '\n' : ''}${JSON.stringify(event)}\n`);
    this.keepingFailure(() => {
      this.isTorn = true;
      // A file in append mode: a line is written at the end, whole unless the disk is full.
      const written = writeSync(fd, line);
      this.bytes += written;
      this.isTorn = written < line.length;
      if (this.isTorn) throw new Error('the record of the run was written in part only');
    });
  }

  private tellFull({ at }: RunEvent): void {
    const { fd } = this;
    if (this.isFull || fd === undefined) return;
    this.isFull = true;
    const text = 'the record of this run is full; what else it says is left out';
    this.keepingFailure(() => writeSync(fd, `${JSON.stringify({ type: 'log', at, level: 'warning', text })}\n`));
  }

  private keepingFailure(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failure ??= error;
    }
  }
}
