/**
 * Does something with a signal that fires with `outer`, and after so many milliseconds with a `TimeoutError` as its reason. Resolves and
 * rejects as `work` does. `AbortSignal.any` with an `AbortSignal.timeout` would say the same, but in Node.js 20 nobody holds the latter: it
 * is gone with the next collection of garbage, and never fires.
 */
export async function withinMs<T>(
  ms: number,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const both = new AbortController();
  const stop = (): void => both.abort(outer.reason);
  const timer = setTimeout(() => both.abort(new DOMException('the time is over', 'TimeoutError')), ms);
  outer.addEventListener('abort', stop, { once: true });
  if (outer.aborted) stop();
  try {
    return await work(both.signal);
  } finally {
    clearTimeout(timer);
    outer.removeEventListener('abort', stop);
  }
}
