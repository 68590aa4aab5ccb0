import type { Clock } from '@cairn/core/server';
import { appendFileSync } from 'node:fs';

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

/**
 * Writes lines to a file. What they tell of is done already: when they cannot be written, because the disk is full or the file is another
 * user's, no request fails of it, and they go to `otherwise`.
 */
export function fileWriter(path: string, otherwise: (line: string) => void): (line: string) => void {
  return (line) => {
    try {
      appendFileSync(path, line);
    } catch {
      otherwise(line);
    }
  };
}

/** Says nothing. */
export const silentLogger: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
