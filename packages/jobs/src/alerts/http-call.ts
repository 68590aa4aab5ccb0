import { CairnError, systemErrorCode } from '@cairn/core';

import { withinMs } from './within-ms.ts';

/** A request that tells somebody something. */
export interface HttpCall {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly timeLimitMs: number;
  readonly signal: AbortSignal;
}

/** How a request ended: taken, refused for good, or maybe better another time. */
export type HttpEnd = { readonly ok: true } | { readonly ok: false; readonly again: boolean; readonly why: string };

/** Redirects that are followed. */
const REDIRECTS = 3;

/**
 * Sends one POST. Redirects are followed within the same scheme, host and port only: what is told must not go to another server.
 * Resolves however it ended. Rejects with `CANCELLED` when the signal fired.
 */
export async function post(call: HttpCall): Promise<HttpEnd> {
  let { url } = call;
  for (let redirects = 0; ; redirects++) {
    const answer = await once({ ...call, url });
    if (!(answer instanceof Response)) return answer;
    // Only the status counts.
    await answer.body?.cancel();
    if (answer.ok) return { ok: true };
    const target = targetOf(answer, url);
    if (target === undefined) return { ok: false, again: mayPass(answer.status), why: `it answered ${answer.status}` };
    if (new URL(target).origin !== new URL(url).origin) {
      return { ok: false, again: false, why: `it points to another server, ${new URL(target).host}` };
    }
    if (redirects === REDIRECTS) return { ok: false, again: false, why: 'it points from one address to the next' };
    url = target;
  }
}

async function once({ url, headers, body, timeLimitMs, signal }: HttpCall): Promise<Response | HttpEnd> {
  try {
    return await withinMs(
      timeLimitMs,
      signal,
      async (limited) =>
        await fetch(url, { method: 'POST', headers: { ...headers }, body, redirect: 'manual', signal: limited }),
    );
  } catch (error) {
    if (signal.aborted) throw new CairnError('CANCELLED', 'the alert was stopped', { cause: error });
    const late = error instanceof Error && error.name === 'TimeoutError';
    const reason = error instanceof Error ? (systemErrorCode(error.cause) ?? error.message) : String(error);
    return { ok: false, again: true, why: late ? `no answer within ${timeLimitMs / 1000} s` : reason };
  }
}

/** Where a redirect that keeps the request points (RFC 9110, 15.4.8 and 15.4.9). */
function targetOf(answer: Response, url: string): string | undefined {
  const location = answer.headers.get('location');
  if ((answer.status !== 307 && answer.status !== 308) || location === null) return undefined;
  return URL.canParse(location, url) ? new URL(location, url).href : undefined;
}

function mayPass(status: number): boolean {
  return status >= 500 || status === 429 || status === 408;
}

/** An address without what may be a secret in it: user, password, path and query. */
export function shownHost(url: string): string {
  return new URL(url).host;
}
