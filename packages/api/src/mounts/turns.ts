/** Work on one thing happens one after the other, work on different things at the same time. */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>();

  /** Does `work` when all work on `thing` that was begun before is done, however that ended. Rejects as `work` does. */
  async take<T>(thing: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(thing) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.last.set(thing, turn);
    try {
      return await turn;
    } finally {
      if (this.last.get(thing) === turn) this.last.delete(thing);
    }
  }
}
