import type { Environment, Timer } from '@cairn/core';

/** What alerts are sent with. */
export interface AlertContext {
  readonly environment: Environment;
  readonly timer: Timer;
  readonly signal: AbortSignal;
}
