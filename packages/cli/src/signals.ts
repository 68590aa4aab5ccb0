import { CairnError } from '@cairn/core';
import { setMaxListeners } from 'node:events';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Exit status after a signal that could not wait. */
const EXIT_CANCELLED = 130;

/** Milliseconds in which a second signal is the same one: some programs signal a process, and then the group that it is in. */
const SAME_MS = 200;

/** The first signal asks the command to stop cleanly; the second one ends the process at once. */
export function stopOnSignals(stderr: NodeJS.WriteStream): AbortSignal {
  const controller = new AbortController();
  // Each call to a store that is far away listens, and many are under way at once.
  setMaxListeners(0, controller.signal);
  let firstMs = 0;
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (controller.signal.aborted) {
        if (performance.now() - firstMs < SAME_MS) return;
        process.exit(EXIT_CANCELLED);
      }
      firstMs = performance.now();
      if (stderr.isTTY) stderr.write('\ncairn: stopping; once more ends it at once\n');
      controller.abort(new Error(name));
    });
  }
  return controller.signal;
}

/** Rejects with `CANCELLED` when the command is to stop. */
export function throwIfStopped(signal: AbortSignal): void {
  if (signal.aborted) throw new CairnError('CANCELLED', 'the command was stopped before it was done');
}
