import { CairnError, formatDuration, isCairnError } from '@cairn/core';

/** A soft and a hard limit, milliseconds; either may be absent. */
export interface TimeLimits {
  readonly 'soft-time'?: number | undefined;
  readonly 'hard-time'?: number | undefined;
}

/**
 * Does something with time limits: after the soft one `onSoft` is told once, after the hard one the signal that `work` was given fires,
 * with a `TIME_OVER` as its reason. What the work rejects with after that is the `TIME_OVER` too.
 */
export async function withinTime<T>(
  what: string,
  limits: TimeLimits | undefined,
  outer: AbortSignal,
  onSoft: (text: string) => void,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { 'soft-time': soft, 'hard-time': hard } = limits ?? {};
  const over = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  if (soft !== undefined) {
    timers.push(setTimeout(() => onSoft(`${what} takes longer than ${formatDuration(soft)}`), timerMs(soft)));
  }
  if (hard !== undefined) {
    const error = new CairnError('TIME_OVER', `${what} took longer than ${formatDuration(hard)} and was ended`, {
      hint: 'What was stored is found again by the next run. Give it more time with `hard-time`, or less to do.',
    });
    timers.push(setTimeout(() => over.abort(error), timerMs(hard)));
  }
  try {
    return await work(hard === undefined ? outer : AbortSignal.any([outer, over.signal]));
  } catch (error) {
    // When the outer signal fired, whoever fired it tells what ended the work.
    throw over.signal.aborted && !outer.aborted ? (over.signal.reason as CairnError) : error;
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}

/** A longer timer of Node.js fires at once. */
const MOST_TIMER_MS = 2 ** 31 - 1;

function timerMs(ms: number): number {
  return Math.min(ms, MOST_TIMER_MS);
}

/** Why a run was ended: by a time limit, or by who cancelled it. */
export function endReason(signal: AbortSignal): CairnError {
  if (isCairnError(signal.reason)) return signal.reason;
  return new CairnError('CANCELLED', 'the run was cancelled', {
    hint: 'What was stored is found again by the next run.',
  });
}
