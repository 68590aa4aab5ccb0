import { CairnError, PANEL } from '@cairn/core';
import type { Context } from 'hono';
import { z } from 'zod';

import type { AppEnvironment, Route } from './route.ts';

/** Problems of a request that are named in one answer. */
const MOST_NAMED = 3;

/** What of a request its route asked for. */
export interface ParsedRequest {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

const NOTHING = z.strictObject({});

/** Reads and checks all parts of a request by the schemas of its route. Rejects with `USAGE`, and with `LIMIT_EXCEEDED` for a long body. */
export async function readRequest(route: Route, context: Context<AppEnvironment>): Promise<ParsedRequest> {
  const { params = NOTHING, query = NOTHING, body } = route.request;
  return {
    params: checked('path', params, context.req.param()),
    query: checked('query', query, queryOf(context)),
    body: body === undefined ? await noBody(context) : checked('body', body, await jsonBody(context, route)),
  };
}

function checked(where: string, schema: z.ZodType, value: unknown): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const named = result.error.issues.slice(0, MOST_NAMED).map(({ path, message }) => {
    const place = [where, ...path.map((part) => String(part).slice(0, 60))].join('.');
    return `${place}: ${message.slice(0, 200)}`;
  });
  const more = result.error.issues.length - named.length;
  throw new CairnError('USAGE', `${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`, {
    hint: 'GET /api/v1/openapi.json says what the route takes.',
  });
}

/** A name that is given twice becomes a list, which only a schema that wants one accepts. */
function queryOf(context: Context): Record<string, string | string[]> {
  const all = context.req.queries();
  return Object.fromEntries(
    Object.entries(all).map(([name, values]) => [name, values.length === 1 ? (values[0] ?? '') : values]),
  );
}

async function noBody(context: Context<AppEnvironment>): Promise<undefined> {
  if ((await bytesOf(context, 0)).length === 0) return undefined;
  throw new CairnError('USAGE', 'this route takes no body');
}

async function jsonBody(context: Context<AppEnvironment>, route: Route): Promise<unknown> {
  const type = context.req.header('content-type') ?? '';
  if (!/^application\/json(?:\s*;\s*charset=utf-8)?$/i.test(type)) {
    throw new CairnError('USAGE', 'the body must be JSON', {
      hint: 'Send it with `content-type: application/json`.',
      details: { http: 415 },
    });
  }
  const bytes = await bytesOf(context, route.bodyBytes ?? PANEL.bodyBytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new CairnError('USAGE', 'the body is no JSON', { cause });
  }
}

/** The body, if it is not longer than `most` bytes; what is beyond is not read. */
async function bytesOf(context: Context<AppEnvironment>, most: number): Promise<Uint8Array> {
  const announced = context.req.header('content-length');
  if (announced !== undefined && Number(announced) > most) throw tooLong(most);
  if (announced === undefined && context.req.header('transfer-encoding') === undefined) return new Uint8Array();
  const stream = context.req.raw.body;
  if (stream === null) return new Uint8Array();
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  const slow = setTimeout(() => void reader.cancel(new Error('slow')).catch(() => undefined), PANEL.bodyMs);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > most) throw tooLong(most);
      parts.push(value);
    }
  } catch (cause) {
    if (cause instanceof CairnError) throw cause;
    throw new CairnError('USAGE', 'the body broke off', { details: { http: 400 }, cause });
  } finally {
    clearTimeout(slow);
  }
  if (announced !== undefined && Number(announced) !== length) {
    throw new CairnError('USAGE', 'the body came too slowly, or has another length than was announced', {
      details: { http: 408 },
    });
  }
  return Buffer.concat(parts);
}

function tooLong(most: number): CairnError {
  const what = most === 0 ? 'this route takes no body' : `the body has more than ${most} bytes`;
  return new CairnError('LIMIT_EXCEEDED', what, { hint: 'Send less.' });
}
