import type { z } from 'zod';

import type { Problem } from '../http/problem.ts';
import type { Answers, Method, RequestSchemas } from '../http/route.ts';
import type { ROUTES } from '../routes/index.ts';

type AnyRoute = (typeof ROUTES)[number];

/** Paths that a method is known for. */
export type PathOf<M extends Method> = Extract<AnyRoute, { readonly method: M }>['path'];

type RouteOf<M extends Method, P extends string> = Extract<AnyRoute, { readonly method: M; readonly path: P }>;

type Given<Q, Part extends keyof RequestSchemas> = Q extends { readonly [K in Part]: infer S extends z.ZodType }
  ? { readonly [K in Part]: z.input<S> }
  : { readonly [K in Part]?: never };

/** What a request of a route is made of: `params` of the path, `query`, `body`. */
export type RequestOf<M extends Method, P extends string> = Given<RouteOf<M, P>['request'], 'params'> &
  OptionalQuery<RouteOf<M, P>['request']> &
  Given<RouteOf<M, P>['request'], 'body'>;

/** A query of which nothing is required may be left out. */
type OptionalQuery<Q> = Q extends { readonly query: infer S extends z.ZodType }
  ? Record<never, never> extends z.input<S>
    ? { readonly query?: z.input<S> }
    : { readonly query: z.input<S> }
  : { readonly query?: never };

type BodyOf<A extends Answers> = {
  [S in keyof A]: A[S] extends { readonly schema: infer T extends z.ZodType } ? z.output<T> : undefined;
}[keyof A];

/** What a route answers when all went well. */
export type AnswerOf<M extends Method, P extends string> = BodyOf<RouteOf<M, P>['responses']>;

/** An error that the panel answered with. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }

  /** Never changes its meaning: `archive-missing`. */
  get code(): string {
    return this.problem.code;
  }
}

export interface ClientOptions {
  /** Where the panel is, as `https://panel.example.org`; empty in a page of the panel itself. */
  readonly baseUrl: string;
  /** For programs. Pages have a cookie instead. */
  readonly token?: string;
  /** For pages: what login answered as `forgery_token`. */
  readonly forgeryToken?: () => string | undefined;
  readonly fetch?: typeof fetch;
}

/** Calls routes with the types of their schemas. */
export interface Client {
  /** Rejects with `ApiError` for what the panel refuses, and as `fetch` does. */
  call<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    request: RequestOf<M, P> & { readonly signal?: AbortSignal },
  ): Promise<AnswerOf<M, P>>;
  /** The response itself, for routes that stream. Rejects as `call` does. */
  open<M extends Method, P extends PathOf<M>>(
    method: M,
    path: P,
    request: RequestOf<M, P> & { readonly signal?: AbortSignal },
  ): Promise<Response>;
}

interface LooseRequest {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export function createClient(options: ClientOptions): Client {
  const open = async (method: Method, path: string, request: LooseRequest): Promise<Response> => {
    const { fetch: send = fetch, baseUrl, token, forgeryToken } = options;
    const forgery = forgeryToken?.();
    const response = await send(`${baseUrl}${addressOf(path, request)}`, {
      method,
      credentials: 'same-origin',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(forgery === undefined ? {} : { 'x-cairn-forgery': forgery }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      ...(request.signal === undefined ? {} : { signal: request.signal }),
    });
    if (response.ok) return response;
    throw new ApiError(await problemOf(response));
  };
  const call = async (method: Method, path: string, request: LooseRequest): Promise<unknown> => {
    const response = await open(method, path, request);
    return response.status === 204 ? undefined : await response.json();
  };
  // Behind the types, which come from the routes, every call is the same.
  return { open, call } as unknown as Client;
}

function addressOf(path: string, { params = {}, query = {} }: LooseRequest): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) search.append(name, String(one));
  }
  return search.size === 0 ? filled : `${filled}?${search.toString()}`;
}

/** What stands between may answer in a form of its own. */
async function problemOf(response: Response): Promise<Problem> {
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('application/problem+json')) return (await response.json()) as Problem;
  const detail = `the answer was ${response.status} and not from the panel`;
  return { type: 'about:blank', title: 'Another answer', status: response.status, code: 'unknown', detail };
}
