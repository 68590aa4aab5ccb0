import { InvalidArgumentError } from 'commander';

/** Parses a whole number in a range. */
export function count(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Parses a time such as `12h` or `7d`, or `0`, into milliseconds. */
export function timeSpan(text: string): number {
  const [, digits, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  if (text === '0') return 0;
  if (digits === undefined || unit === undefined) {
    throw new InvalidArgumentError('It must be a number with one of s, m, h, d, w behind it, such as 7d, or 0.');
  }
  return Number(digits) * (UNIT_MS[unit] as number);
}

/** Gathers the values of an option that may be given several times. */
export function several(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Parses a percentage above 0 and up to 100, with or without its sign; gives the share, above 0 and up to 1. */
export function percent(text: string): number {
  const number = /^\d{1,3}(\.\d{1,3})?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (number > 0 && number <= 100) return number / 100;
  throw new InvalidArgumentError('It must be a percentage above 0 and up to 100, like 5%.');
}
