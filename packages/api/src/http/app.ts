import { CairnError, PANEL } from '@cairn/core';
import { clientAddress, isWithin, sourceOf } from '@cairn/repo-server/serving';
import { Hono, type Context } from 'hono';

import { mayUseRepository, type Principal } from '../rights/principal.ts';
import type { Services } from '../services.ts';
import { identify, refuseForgery } from './identify.ts';
import { problemOf, problemResponse } from './problem.ts';
import { RateLimit } from './rate-limit.ts';
import { readRequest } from './read-request.ts';
import type { AppEnvironment, Call, Method, Reply, Route } from './route.ts';
import { safetyHeaders } from './safety-headers.ts';

/** HTTP statuses of what somebody wanted and may not, or not yet. */
const REFUSALS: readonly number[] = [403, 423];
const NEVER_STORED = { 'cache-control': 'no-store' };

/** The app: all routes of the list, and around each of them the same steps in the same order. */
export function makeApp(routes: readonly Route[], services: Services): Hono<AppEnvironment> {
  const app = new Hono<AppEnvironment>();
  const bounds = { busy: new BusyCounter(), rate: new RateLimit(services.environment.clock) };
  app.use(async (context, next) => {
    await next();
    addSafetyHeaders(context, services);
  });
  app.onError((error, context) => {
    if (problemOf(error).status >= 500) services.logger.error('a request failed', factsOf(context, error));
    return problemResponse(error);
  });
  app.notFound(() => problemResponse(new CairnError('NOT_FOUND', 'there is no route of this path')));
  for (const route of routes) {
    app.on(route.method, honoPath(route.path), async (context) => await answer(route, context, services, bounds));
  }
  for (const [path, methods] of methodsByPath(routes)) {
    app.all(path, () => {
      const error = new CairnError('USAGE', `this path takes ${methods.join(', ')}`, { details: { http: 405 } });
      const response = problemResponse(error);
      response.headers.set('allow', methods.join(', '));
      return response;
    });
  }
  return app;
}

/** `/api/v1/runs/{run}` as Hono writes it. */
function honoPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function methodsByPath(routes: readonly Route[]): Map<string, Method[]> {
  const methods = new Map<string, Method[]>();
  for (const { path, method } of routes) methods.set(honoPath(path), [...(methods.get(honoPath(path)) ?? []), method]);
  return methods;
}

/**
 * The one way of a request: may this address ask; who sends it, and not too often; did another site send it; is the gate open; has that
 * one the right, and for this repository; is it not too much at once; is it in order. Only then the route's own work begins, and what it
 * did is written down.
 */
async function answer(
  route: Route,
  context: Context<AppEnvironment>,
  services: Services,
  { busy, rate }: Bounds,
): Promise<Response> {
  const address = addressOf(context, services);
  refuseAddress(address, services);
  const principal = whoAsks(route, context, services, () => {
    const perMinute = Math.ceil(services.config['requests-per-minute'] * PANEL.openRequestsShare);
    rate.count(`address ${sourceOf(address)}`, perMinute);
  });
  if (principal !== undefined) rate.count(`account ${principal.account}`, services.config['requests-per-minute']);
  const facts: Record<string, string | number | boolean> = {};
  const act = { principal, address, route, target: context.req.path };
  let entry: ReturnType<Services['audit']['begin']> | undefined;
  try {
    refuseForgery(context, services, principal);
    if (route.gate !== 'open') await services.gate.assertOpen();
    if (principal !== undefined) assertAllowed(route, principal, context);
    busy.enter(principal, context);
    const request = await readRequest(route, context);
    entry = route.audited ? services.audit.begin(act) : undefined;
    const call: Call<unknown, unknown, unknown, Principal | undefined> = {
      ...request,
      principal,
      address,
      headers: context.req.raw.headers,
      signal: context.req.raw.signal,
      context,
      note: (more) => void Object.assign(facts, more),
    };
    const reply = await route.handle(call as Call<never, never, never, never>, services);
    const response = responseOf(route, reply, services);
    entry?.end({ status: response.status, facts });
    return response;
  } catch (error) {
    const { status, code } = problemOf(error);
    if (entry !== undefined) entry.end({ status, code, facts });
    // Somebody who is known and was refused; what was no proper request was no act.
    else if (principal !== undefined && REFUSALS.includes(status))
      services.audit.begin(act).end({ status, code, facts });
    throw error;
  }
}

/** What bounds the requests of all routes together. */
interface Bounds {
  readonly busy: BusyCounter;
  readonly rate: RateLimit;
}

/**
 * Who sends a request; undefined where nobody need be logged in. Of those who are not known each request is counted. Rejects as
 * `identify`.
 */
function whoAsks(
  route: Route,
  context: Context<AppEnvironment>,
  services: Services,
  countUnknown: () => void,
): Principal | undefined {
  if (route.right === 'public') {
    countUnknown();
    return undefined;
  }
  try {
    return identify(context, services);
  } catch (error) {
    countUnknown();
    throw error;
  }
}

/** Where a request comes from: the peer, unless a proxy of ours says better. Whoever reaches a unix socket is such a proxy. */
function addressOf(context: Context<AppEnvironment>, { config }: Services): string {
  const peer = context.env.incoming.socket?.remoteAddress;
  const forwarded = context.req.header('x-forwarded-for');
  if (peer !== undefined && peer !== '') return clientAddress(peer, forwarded, config.proxies);
  const last = forwarded?.split(',').at(-1)?.trim();
  return last === undefined || last === '' ? 'local' : clientAddress(last, forwarded, config.proxies);
}

function refuseAddress(address: string, { config }: Services): void {
  if (config.allow.length === 0 || address === 'local' || isWithin(address, config.allow)) return;
  throw new CairnError('NOT_ALLOWED', 'this address may not ask the panel', {
    hint: '`allow` in the panel’s file lists the networks that may.',
  });
}

function assertAllowed(route: Route, principal: Principal, context: Context<AppEnvironment>): void {
  if (route.right !== 'public' && !principal.rights.has(route.right)) {
    throw new CairnError('NOT_ALLOWED', `${principal.name} lacks the right ${route.right}`, {
      hint: 'An admin can change the role; a token has the rights it was made with.',
      details: { right: route.right },
    });
  }
  if (route.only === 'session' && principal.via !== 'session') {
    throw new CairnError('NOT_ALLOWED', 'a token may not do this', { hint: 'Log in with name and password.' });
  }
  const repository: string | undefined = context.req.param('repository');
  if (repository === undefined || mayUseRepository(principal, repository)) return;
  // As if there were none: what an account may not use it does not learn of.
  throw new CairnError('NOT_FOUND', `there is no repository ${JSON.stringify(repository)}`);
}

function responseOf(route: Route, reply: Reply<Route['responses']>, services: Services): Response {
  if (reply instanceof Response) return reply;
  const { status, body, headers } = reply as { status: number; body?: unknown; headers?: Record<string, string> };
  if (body === undefined) return new Response(null, { status, headers: { ...NEVER_STORED, ...headers } });
  services.checkAnswer?.(route, status, body);
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...NEVER_STORED, ...headers },
  });
}

function addSafetyHeaders(context: Context<AppEnvironment>, services: Services): void {
  const { headers } = context.res;
  for (const [name, value] of Object.entries(safetyHeaders(services))) headers.set(name, value);
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
}

/** Requests under way until their answers are sent, by account; those without one count together. */
class BusyCounter {
  private readonly counts = new Map<number, number>();

  /** Counts the request. Rejects with `TOO_MANY_REQUESTS`. */
  enter(principal: Principal | undefined, context: Context<AppEnvironment>): void {
    const key = principal?.account ?? 0;
    const count = this.counts.get(key) ?? 0;
    if (count >= (principal === undefined ? PANEL.openRequests : PANEL.requests)) {
      throw new CairnError('TOO_MANY_REQUESTS', 'too many requests at the same time', {
        details: { retry_after_s: 1 },
      });
    }
    this.counts.set(key, count + 1);
    context.env.outgoing.once('close', () => {
      const left = (this.counts.get(key) ?? 1) - 1;
      if (left === 0) this.counts.delete(key);
      else this.counts.set(key, left);
    });
  }
}

/** The path says which thing; queries and headers, which may hold more, are never logged. */
function factsOf({ req }: Context<AppEnvironment>, error: Error): Record<string, string> {
  return { method: req.method, path: req.path.slice(0, 200), error: error.message };
}
