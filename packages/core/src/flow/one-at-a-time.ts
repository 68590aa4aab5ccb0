/** Does one piece of work after the other, in the order they were given. */
export class OneAtATime {
  private last: Promise<unknown> = Promise.resolve();

  /** Does `work` when all that was given before is done, however that ended. Rejects as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.last.then(work, work);
    this.last = done;
    return done;
  }
}
