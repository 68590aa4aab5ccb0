import { CairnError, LIMITS, WIRE_PATH } from '@cairn/core/server';
import { Hono, type Context } from 'hono';

import type { Counters } from '../operate/counters.ts';
import type { Logger } from '../operate/logger.ts';
import { errorAnswer, errorResponse } from './answers.ts';
import type { AppEnvironment, Principal } from './environment.ts';
import { objectRoutes } from './objects.ts';

export interface AppOptions {
  /**
   * Who sends a request: from its `authorization` header and address, or, over ssh, known beforehand. Rejects with `STORE_DENIED`
   * for a credential that is none.
   */
  readonly identify: (authorization: string | undefined, address: string) => Promise<Principal>;
  /** Where a request comes from: the peer, unless a trusted proxy says better. */
  readonly peerAddress: (peer: string, forwarded: string | undefined) => string;
  readonly counters: Counters;
  readonly logger: Logger;
  /** Whether the server can do its work; an error says why not. */
  readonly health: () => Promise<void>;
  /** The text of `/metrics` for this client. Rejects with `STORE_DENIED` when it may not have it. */
  readonly metrics: (principal: Principal) => Promise<string>;
  /** Milliseconds in which an upload must come on; `LIMITS.serverSilenceMs` unless given. */
  readonly uploadWindowMs?: number | undefined;
}

/** The one set of routes, whatever carries them. */
export function makeApp(options: AppOptions): Hono<AppEnvironment> {
  const { counters, logger } = options;
  const busy = new Map<string, number>();
  const app = new Hono<AppEnvironment>();

  app.onError((error, context) => {
    const { status } = errorAnswer(error);
    if (status >= 500 && status !== 507) logger.error('a request failed', factsOf(context, error));
    return errorResponse(error, context.req.method !== 'HEAD');
  });
  app.notFound((context) => {
    const error = new CairnError('USAGE', 'there is nothing at this address', { details: { http: 404 } });
    return errorResponse(error, context.req.method !== 'HEAD');
  });
  app.use(async (context, next) => {
    await next();
    counters.answered(context.req.method, context.res.status);
  });
  app.get('/healthz', async (context) => {
    await options.health();
    return context.json({ status: 'ok' });
  });
  for (const path of ['/v1/*', '/metrics']) {
    app.use(path, async (context, next) => {
      const peer = context.env.incoming.socket?.remoteAddress ?? '';
      const address = options.peerAddress(peer, context.req.header('x-forwarded-for'));
      const principal = await options.identify(context.req.header('authorization'), address);
      const { name } = principal.client;
      const before = busy.get(name) ?? 0;
      if (before >= LIMITS.serverRequests) {
        throw new CairnError('STORE_UNREACHABLE', 'too many requests at the same time', { details: { http: 429 } });
      }
      busy.set(name, before + 1);
      context.set('principal', principal);
      try {
        await next();
      } finally {
        busy.set(name, (busy.get(name) ?? 1) - 1);
      }
    });
  }
  app.get('/metrics', async (context) => {
    const text = await options.metrics(context.get('principal'));
    return context.body(text, 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  });
  app.get('/v1/status', async (context) => context.json(await context.get('principal').host.status()));
  app.route(
    WIRE_PATH,
    objectRoutes(counters, options.uploadWindowMs ?? LIMITS.serverSilenceMs, (error) =>
      logger.error('an answer broke off', { error: String(error) }),
    ),
  );
  return app;
}

/** The path says which object; headers, which hold the credential, are never logged. */
function factsOf({ req }: Context<AppEnvironment>, error: Error): Record<string, string> {
  return { method: req.method, path: req.path.slice(0, 200), error: error.message };
}
