/** How much may go on at once. */
export interface FlightBounds {
  readonly width: number;
  /** Of what `costOf` says of each item; one item may always go on. Default: no bound but the width. */
  readonly most?: number;
}

/**
 * Works on many items at once and gives the results in the order of the items: hides the way to a store and back. What is given but
 * not taken yet counts as going on, so memory is bounded. Rejects with the first failure in that order. Resolves its end, also
 * when its reader breaks off, once nothing goes on any more.
 */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  bounds: FlightBounds,
  work: (item: T) => Promise<R>,
  costOf: (item: T) => number = () => 0,
): AsyncGenerator<R> {
  const waiting = items[Symbol.iterator]();
  const going: { readonly result: Promise<R>; readonly cost: number }[] = [];
  let cost = 0;
  let next = waiting.next();
  try {
    for (;;) {
      while (next.done !== true && going.length < bounds.width) {
        const itemCost = costOf(next.value);
        if (going.length > 0 && cost + itemCost > (bounds.most ?? Infinity)) break;
        const result = work(next.value);
        // Whoever takes it hears of its failure.
        result.catch(() => undefined);
        going.push({ result, cost: itemCost });
        cost += itemCost;
        next = waiting.next();
      }
      const first = going[0];
      if (first === undefined) return;
      const result = await first.result;
      going.shift();
      cost -= first.cost;
      yield result;
    }
  } finally {
    await Promise.allSettled(going.map(({ result }) => result));
  }
}
