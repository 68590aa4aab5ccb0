import type { Timer } from '../ports/timer.ts';

/** Waits by this machine's timers. A wait keeps the process alive. */
export const systemTimer: Timer = {
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timeout);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timeout = setTimeout(done, ms);
      signal?.addEventListener('abort', done);
    }),
};
