import { CairnError, ERROR_HEADER, errorBody, invariant, isCairnError, statusOf } from '@cairn/core/server';

/** An error as the protocol tells it. What is no error of a store is told without its text, which may be anything. */
export function errorAnswer(error: unknown): { readonly status: number; readonly error: CairnError } {
  if (!isCairnError(error)) {
    const hidden = new CairnError('STORE_FAILED', 'the server met an error of its own', {
      hint: 'Its own log says which.',
    });
    return { status: 500, error: hidden };
  }
  const http = error.details?.['http'];
  return { status: typeof http === 'number' ? http : statusOf(error.code), error };
}

export function errorResponse(thrown: unknown, withBody: boolean): Response {
  const { status, error } = errorAnswer(thrown);
  invariant(status >= 400, 'an error has the status of one');
  const headers = { 'content-type': 'application/json', [ERROR_HEADER]: error.code, 'cache-control': 'no-store' };
  return new Response(withBody ? errorBody(error) : null, { status, headers });
}
