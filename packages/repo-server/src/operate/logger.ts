import type { Clock } from '@cairn/core/server';

/** Facts beside a message. Never a token, a key or a header: what is logged is read by many. */
export type Facts = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where a server says what it does. */
export interface Logger {
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
}

/** One line of JSON for each message: `{"time", "level", "message", …}`. */
export function jsonLogger(clock: Clock, write: (line: string) => void): Logger {
  const at =
    (level: string) =>
    (message: string, facts: Facts = {}): void => {
      const time = new Date(Number(clock.nowNs() / 1_000_000n)).toISOString();
      write(`${JSON.stringify({ time, level, message, ...facts })}\n`);
    };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

/** Says nothing. */
export const silentLogger: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
