import { CairnError } from '../errors.ts';

/** What is wrong with a tar stream, and at which byte of it the member or block begins that is wrong. */
export function tarError(offset: number, what: string, hint?: string): CairnError {
  return new CairnError('TAR_INVALID', `the tar stream is not usable at byte ${offset}: ${what}`, {
    hint: hint ?? 'Nothing was imported. Check where the stream comes from, or make it again.',
    details: { offset },
  });
}
