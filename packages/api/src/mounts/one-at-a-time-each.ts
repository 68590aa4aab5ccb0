import { OneAtATime } from '@cairn/core';

/** Work on one thing happens one after the other, work on different things at the same time. */
export class OneAtATimeEach {
  private readonly queues = new Map<string, { readonly queue: OneAtATime; waiting: number }>();

  /** Does `work` when all work on `thing` that was given before is done, however that ended. Rejects as `work` does. */
  async run<T>(thing: string, work: () => Promise<T>): Promise<T> {
    const entry = this.queues.get(thing) ?? { queue: new OneAtATime(), waiting: 0 };
    this.queues.set(thing, entry);
    entry.waiting += 1;
    try {
      return await entry.queue.run(work);
    } finally {
      entry.waiting -= 1;
      if (entry.waiting === 0) this.queues.delete(thing);
    }
  }
}
