import { z } from 'zod';

/** Values of a query, which are texts on the wire. */

/** A whole number. */
export function numberText(least: number, most: number, otherwise: number): z.ZodType<number, string | undefined> {
  return z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .optional()
    .transform((text) => (text === undefined ? otherwise : Number(text)))
    .refine((number) => number >= least && number <= most, `must be from ${least} to ${most}`)
    .describe(`A whole number from ${least} to ${most}. Default: ${otherwise}.`);
}

/** `true` or `false`; undefined when it is not given. */
export const YES_OR_NO = z
  .enum(['true', 'false'])
  .optional()
  .transform((text) => (text === undefined ? undefined : text === 'true'));

/** One text or several: a name that is given more than once. */
export function severalTexts(most: number): z.ZodType<string[], string | string[] | undefined> {
  return z
    .union([z.string(), z.array(z.string()).max(most, `may be given ${most} times`)])
    .optional()
    .transform((given) => (given === undefined ? [] : typeof given === 'string' ? [given] : given));
}
