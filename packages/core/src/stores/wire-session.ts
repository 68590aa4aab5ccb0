import type { ClientHttp2Session } from 'node:http2';
import { LIMITS } from '../limits.ts';
import type { Link } from './wire-connection.ts';

/** MiB that Node keeps for one session before it refuses new streams; its default of 10 is less than some packs. */
const SESSION_MEMORY_MIB = 256;

/** Of every HTTP/2 session of a client, whatever carries it. */
export const sessionOptions = {
  maxSessionMemory: SESSION_MEMORY_MIB,
  settings: { initialWindowSize: LIMITS.wireWindowBytes, enablePush: false },
} as const;

/** Makes a link of a fresh session. Errors of the session reach the requests in flight; nobody else needs them. */
export function holdSession(session: ClientHttp2Session, carrier: Omit<Link, 'session'>): Link {
  session.on('error', () => undefined);
  const widen = (): void => {
    // One that was closed while it connected says that it is connected, all the same.
    if (!session.destroyed) session.setLocalWindowSize(LIMITS.wireWindowBytes);
  };
  if (session.connecting) session.once('connect', widen);
  else widen();
  carrier.hold(false);
  return { session, ...carrier };
}
