import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';

import type { Services } from '../services.ts';
import type { Call } from './route.ts';
import { safetyHeaders } from './safety-headers.ts';

/**
 * Answers with JSON that is in memory already, piece by piece: a page of a list is 100 KB, and a `Response` would copy it and make a stream
 * of it. The pieces must stay as they are until they were sent.
 */
export function sendJson(
  { context }: Pick<Call, 'context'>,
  services: Pick<Services, 'config'>,
  pieces: readonly Uint8Array[],
): Response {
  const { outgoing } = context.env;
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  outgoing.writeHead(200, {
    ...safetyHeaders(services),
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'content-length': length,
  });
  // Held together, so that they leave in one system call.
  outgoing.cork();
  for (const piece of pieces) outgoing.write(piece);
  outgoing.end();
  outgoing.uncork();
  return RESPONSE_ALREADY_SENT;
}
