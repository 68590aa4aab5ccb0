import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { z } from 'zod';

import type { Principal } from '../rights/principal.ts';
import type { RightName } from '../rights/table.ts';
import type { Services } from '../services.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What Node's server adds to a request. */
export interface AppEnvironment {
  Bindings: HttpBindings;
}

/** One answer that a route gives when all went well. Without a schema it is no JSON, and the media type says what it is. */
export interface AnswerRow {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly mediaType?: string;
}

export type Answers = Readonly<Record<number, AnswerRow>>;

/** What a handler gives back: JSON by status, or, for streams, a whole response. */
export type Reply<A extends Answers> =
  | Response
  | {
      [S in keyof A & number]: {
        readonly status: S;
        readonly headers?: Readonly<Record<string, string>>;
      } & (A[S] extends { readonly schema: infer T extends z.ZodType }
        ? { readonly body: z.input<T> }
        : { readonly body?: undefined });
    }[keyof A & number];

/** A request that was let in and is in order. */
export interface Call<Params = unknown, Query = unknown, Body = unknown, Who = Principal> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly principal: Who;
  /** Where it comes from: an address, or `local` for a unix socket. */
  readonly address: string;
  readonly headers: Headers;
  /** Fires when the client is gone. */
  readonly signal: AbortSignal;
  /** For streams that write to Node's response themselves. */
  readonly context: Context<AppEnvironment>;
  /** Adds to the audit trail what the path does not say. Never a secret, never the content of a file. */
  note(facts: Readonly<Record<string, string | number | boolean>>): void;
}

type Parsed<S> = S extends z.ZodType ? z.output<S> : Record<string, never>;

export interface RequestSchemas {
  /** Of what stands in braces in the path. */
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: z.ZodType;
}

interface Definition<
  M extends Method,
  P extends `/api/v1/${string}`,
  R extends RightName | 'public',
  Q extends RequestSchemas,
  A extends Answers,
> {
  readonly method: M;
  /** As OpenAPI writes it: `/api/v1/runs/{run}`. */
  readonly path: P;
  /** What of rights/table.ts it needs. `public` is for setup, login and what says that the panel is there. */
  readonly right: R;
  readonly summary: string;
  readonly request?: Q;
  readonly responses: A;
  /** `open`: answers although a recovery key is not yet saved. For the gate's own routes, and for coming and going. */
  readonly gate?: 'open';
  /** `session`: no token may do it, only a person who is logged in. */
  readonly only?: 'session';
  /** `always`: in the audit trail although it changes nothing. What changes something always is. */
  readonly audit?: 'always';
  /** Bytes that the body may have; see `PANEL.bodyBytes`. */
  readonly bodyBytes?: number;
  handler(
    call: Call<Parsed<Q['params']>, Parsed<Q['query']>, Parsed<Q['body']>, R extends 'public' ? undefined : Principal>,
    services: Services,
  ): Promise<Reply<NoInfer<A>>> | Reply<NoInfer<A>>;
}

/** A route as the app, the document, the client and the tests see it. */
export interface Route<
  M extends Method = Method,
  P extends string = string,
  Q extends RequestSchemas = RequestSchemas,
  A extends Answers = Answers,
> {
  readonly method: M;
  readonly path: P;
  readonly right: RightName | 'public';
  readonly summary: string;
  readonly request: Q;
  readonly responses: A;
  readonly gate: 'open' | 'closed';
  readonly only: 'session' | undefined;
  readonly audited: boolean;
  readonly bodyBytes: number | undefined;
  readonly handle: (call: Call<never, never, never, never>, services: Services) => Promise<Reply<Answers>>;
}

/** Makes a route. Nothing else is ever registered at the app: it is put into the list of routes/index.ts. */
export function route<
  const M extends Method,
  const P extends `/api/v1/${string}`,
  const R extends RightName | 'public',
  const Q extends RequestSchemas = Record<never, never>,
  const A extends Answers = Answers,
>(definition: Definition<M, P, R, Q, A>): Route<M, P, Q, A> {
  const { method, path, right, summary, request, responses, gate, only, audit, bodyBytes } = definition;
  return {
    method,
    path,
    right,
    summary,
    request: request ?? ({} as Q),
    responses,
    gate: gate ?? 'closed',
    only,
    audited: method !== 'GET' || audit === 'always',
    bodyBytes,
    // The app has parsed the request by the very schemas that the types of the handler come from.
    handle: async (call, services) => (await definition.handler(call, services)) as Reply<Answers>,
  };
}

/** A repository in a path. Any text: that there is none of that name is told as such, and not as a mistake of form. */
export const REPOSITORY_PARAM = z.string().min(1).max(63);
