import { setMaxListeners } from 'node:events';

import { CairnError } from '../errors.ts';

/** Stops all parts of a restore when one of them fails, or the caller wishes. The first reason is the one that is told. */
export class StopSwitch implements Disposable {
  private readonly controller = new AbortController();
  private readonly outer: AbortSignal | undefined;

  constructor(outer: AbortSignal | undefined) {
    this.outer = outer;
    // Each call to a store listens, and many are under way at once.
    setMaxListeners(0, this.controller.signal);
    if (outer?.aborted === true) this.cancel();
    outer?.addEventListener('abort', this.cancel);
  }

  /** For calls that can be broken off. Its reason is the error that the restore ends with. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  stop(error: unknown): void {
    this.controller.abort(error);
  }

  /** Throws when the restore is to stop. */
  check(): void {
    this.controller.signal.throwIfAborted();
  }

  /** Work that nobody waits for at once: never rejects, its failure stops everything. */
  async guard(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.stop(error);
    }
  }

  [Symbol.dispose](): void {
    this.outer?.removeEventListener('abort', this.cancel);
  }

  private readonly cancel = (): void => {
    const cause: unknown = this.outer?.reason;
    this.stop(
      new CairnError('CANCELLED', 'the restore was stopped', {
        hint: 'Files that were restored completely are there; restore into another directory to have the rest.',
        cause,
      }),
    );
  };
}
