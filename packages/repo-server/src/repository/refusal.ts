import { CairnError } from '@cairn/core/server';

/** An answer to a request that the server will not do, however often it is asked. */
export function refused(message: string, hint?: string, http?: number): CairnError {
  return new CairnError('STORE_DENIED', message, {
    ...(hint === undefined ? {} : { hint }),
    ...(http === undefined ? {} : { details: { http } }),
  });
}
