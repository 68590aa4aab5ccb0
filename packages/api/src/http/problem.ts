import { CairnError, ERROR_TABLE, isCairnError, type ErrorCode } from '@cairn/core';
import { z } from 'zod';

/** An error as every route tells it (RFC 9457), with the code of the one table of errors in small letters: `archive-missing`. */
export const PROBLEM = z.strictObject({
  type: z.string().describe('urn:cairn:error: and the code'),
  title: z.string().describe('when this code is used'),
  status: z.int().describe('the HTTP status'),
  code: z.string().describe('never changes its meaning; docs/reference/errors.md has a section for each'),
  detail: z.string().describe('what happened'),
  hint: z.string().optional().describe('what to do next'),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
});
export type Problem = z.output<typeof PROBLEM>;

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** `ARCHIVE_MISSING` as an answer has it: `archive-missing`. */
export function problemCode(code: ErrorCode): string {
  return code.toLowerCase().replaceAll('_', '-');
}

/** What the caller is told; `details.http` is a status of its own. Of what is no error of ours the text is kept back. */
export function problemOf(error: unknown): Problem {
  if (!isCairnError(error)) {
    const hidden = new CairnError('INTERNAL', 'the panel met an error of its own', { hint: 'Its log says which.' });
    return problemOf(hidden);
  }
  const { http, ...details } = error.details ?? {};
  const code = problemCode(error.code);
  const status = typeof http === 'number' ? http : ERROR_TABLE[error.code].http;
  return {
    type: `urn:cairn:error:${code}`,
    title: ERROR_TABLE[error.code].when,
    status,
    code,
    detail: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(Object.keys(details).length === 0 ? {} : { details }),
  };
}

export function problemResponse(error: unknown): Response {
  const problem = problemOf(error);
  const headers: Record<string, string> = { 'content-type': PROBLEM_MEDIA_TYPE };
  if (problem.status === 401) headers['www-authenticate'] = 'Bearer realm="cairn panel"';
  const wait = problem.details?.['retry_after_s'];
  if (typeof wait === 'number') headers['retry-after'] = String(wait);
  // The rest of a body that is too long is not waited for.
  if (problem.status === 413 || problem.status === 408) headers['connection'] = 'close';
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
