import { CairnError } from '@cairn/core';
import { tokenOf } from '@cairn/repo-server/serving';
import type { Context } from 'hono';
import { getCookie } from 'hono/cookie';

import { isForgeryToken } from '../accounts/sessions.ts';
import type { Principal } from '../rights/principal.ts';
import type { Services } from '../services.ts';
import type { AppEnvironment } from './route.ts';

/** Header that a page sends beside the cookie with whatever changes something. */
const FORGERY_HEADER = 'x-cairn-forgery';

/** Name of the cookie. With https the prefix keeps other hosts of the domain from setting it (RFC 6265bis, section 4.1.3.2). */
function cookieName(secure: boolean): string {
  return secure ? '__Host-cairn' : 'cairn';
}

/** The `set-cookie` header that begins a session, or, without a secret, ends it. */
export function sessionCookie(secure: boolean, secret: string | undefined): string {
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Strict', ...(secure ? ['Secure'] : [])];
  const value = secret === undefined ? '; Max-Age=0' : secret;
  return `${cookieName(secure)}=${value}; ${attributes.join('; ')}`;
}

/** Whether browsers reach the panel by https. */
export function isSecure(services: Pick<Services, 'config'>): boolean {
  return services.config['public-url']?.startsWith('https:') === true;
}

/** The secret of the session in a request; undefined when there is none. */
export function sessionSecret(
  context: Context<AppEnvironment>,
  services: Pick<Services, 'config'>,
): string | undefined {
  return getCookie(context, cookieName(isSecure(services)));
}

/**
 * Who sends a request: by its token, else by its cookie. Every wrong credential has the same answer. Rejects with `LOGIN_REQUIRED`.
 */
export function identify(context: Context<AppEnvironment>, services: Services): Principal {
  const authorization = context.req.header('authorization');
  if (authorization !== undefined) {
    const token = tokenOf(authorization);
    const principal = token === undefined ? undefined : services.tokens.principal(token);
    if (principal === undefined) throw unknown();
    return principal;
  }
  const secret = sessionSecret(context, services);
  const principal = secret === undefined ? undefined : services.sessions.principal(secret);
  if (secret === undefined || principal === undefined) throw unknown();
  return principal;
}

function unknown(): CairnError {
  return new CairnError('LOGIN_REQUIRED', 'the request says not who sends it, or its session or token is over', {
    hint: 'Log in, or send a token: `authorization: Bearer TOKEN`.',
  });
}

function forged(reason: string): CairnError {
  return new CairnError('NOT_ALLOWED', `the request may come from another site: ${reason}`, {
    hint: 'Pages send what POST /api/v1/session gave them; programs use a token instead of a cookie.',
    details: { reason: 'forged' },
  });
}

/**
 * Refuses what a page of another site makes a browser send, logged in or not. Browsers say where a request comes from (Fetch Metadata,
 * and `Origin`), programs say nothing; whoever comes with a cookie must also send what only a page of the panel can know.
 * Rejects with `NOT_ALLOWED`.
 */
export function refuseForgery(
  context: Context<AppEnvironment>,
  services: Pick<Services, 'config'>,
  principal: Principal | undefined,
): void {
  const { req } = context;
  if (req.method === 'GET' || req.method === 'HEAD') return;
  const site = req.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw forged('sec-fetch-site names another site');
  const origin = req.header('origin');
  const own = services.config['public-url'];
  const expected = own === undefined ? `http://${req.header('host') ?? ''}` : new URL(own).origin;
  if (origin !== undefined && origin !== expected) throw forged('its origin is another');
  if (principal?.via !== 'session') return;
  if (isForgeryToken(sessionSecret(context, services) ?? '', req.header(FORGERY_HEADER))) return;
  throw forged(`the header ${FORGERY_HEADER} is missing or wrong`);
}
