import type { Messages } from './output/messages.ts';
import type { Stdout } from './output/stdout.ts';
import type { Settings } from './settings/settings.ts';
import type { Variables } from './settings/resolve.ts';

/** What a command has to work with. */
export interface Context {
  readonly settings: Settings;
  /** The environment: for places, never for secrets. */
  readonly variables: Variables;
  readonly output: Stdout;
  readonly messages: Messages;
  /** True when the result is wanted as JSON. */
  readonly json: boolean;
  /** Fires when the user or the system wants the command to stop. */
  readonly signal: AbortSignal;
}
