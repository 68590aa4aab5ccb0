import { hasScheme, isCairnError, parseDuration, parseSize } from '@cairn/core';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

/** Kinds of values that stand in several tables of a job file. Texts become milliseconds, bytes and absolute paths when it is read. */

const NO_TIME = 'expected a time: seconds, or a text such as "30s", "10m" or "2h"';
const NO_SIZE = 'expected a size: bytes, or a text such as "500M" or "2 GiB"';
const MOST_DURATION_MS = 366 * 86_400_000;

/** A time: seconds, or a text such as `90s`, `10m`, `2h`, `7d`. Becomes milliseconds. */
export const duration = z
  .union([z.number().min(0), z.string().regex(/^\d+(\.\d+)? ?(ms|s|min|m|h|d)?$/, NO_TIME)], { error: NO_TIME })
  .transform((value) => (typeof value === 'number' ? value * 1000 : (parseDuration(value) ?? Number.NaN)))
  .refine((ms) => ms <= MOST_DURATION_MS, 'no more than a year can be meant');

/** Whole days that a timer of Node.js can hold (2^31 - 1 milliseconds): it fires at once for more. */
const MOST_TIMER_MS = 24 * 86_400_000;

/** A time to wait: as `duration`, and no more than a timer can hold. */
export const waiting = duration.refine((ms) => ms <= MOST_TIMER_MS, 'no more than 24 days can be meant');

/** A time within which something has to be done. */
export const timeLimit = waiting.refine((ms) => ms > 0, 'expected more than nothing: without a limit leave it out');

/** A size: bytes, or a text such as `500M` or `2 GiB`, in powers of 1024. Becomes bytes. */
export const size = z
  .union([z.int().min(0), z.string().regex(/^\d+(\.\d+)? ?[KMGTPkmgtp]?([iI]?[bB])?$/, NO_SIZE)], { error: NO_SIZE })
  .transform((value) => (typeof value === 'number' ? value : (parseSize(value) ?? Number.NaN)))
  .refine((bytes) => Number.isSafeInteger(bytes), 'is too large');

/** A share of something: `5%`. Becomes a number from 0 to 1. */
export const share = z
  .string()
  .regex(/^\d+(\.\d+)?%$/, 'expected a share such as "5%"')
  .transform((text) => Number(text.slice(0, -1)) / 100)
  .refine((part) => part <= 1, 'is more than all');

const noNul = /^[^\0]*$/;

/** Any text but none; no system takes a NUL byte. */
export const text = z.string().min(1).regex(noNul, 'must hold no NUL byte');

/** A check of a text: that a function takes it, which throws `USAGE` for what is wrong with it. */
export function takenBy(take: (value: string) => unknown): z.core.CheckFn<string> {
  return (context) => {
    try {
      take(context.value);
    } catch (error) {
      if (!isCairnError(error)) throw error;
      context.issues.push({ code: 'custom', message: error.message, input: context.value });
    }
  };
}

/** An absolute path, or the home directory of who runs the job, or one below it, as in `~/mail`. */
export const path = z
  .string()
  .regex(/^(~$|~?\/)[^\0]*$/, 'expected an absolute path, or one that begins with ~/')
  .transform(fromHome);

/** Where a repository is: such a path, or an address with a scheme. */
export const place = z
  .string()
  .regex(/^(~?\/|[a-z][a-z0-9+.-]*:\/\/)[^\0]*$/i, 'expected an absolute path, or an address such as ssh://HOST/NAME')
  .transform((value) => (hasScheme(value) ? value : fromHome(value)));

/** A program and its arguments, run as they are: no shell. */
export const command = z.array(z.string().regex(noNul, 'must hold no NUL byte')).min(1, 'expected a program');

function fromHome(value: string): string {
  return value === '~' || value.startsWith('~/') ? join(homedir(), value.slice(2)) : value;
}
