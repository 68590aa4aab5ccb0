import { CairnError, isCairnError } from '../errors.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { assertObjectKey, isObjectName, toHex } from '../ids.ts';
import { EXCHANGE, LIMITS } from '../limits.ts';
import type { Environment } from '../ports/environment.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import type { StoreMemory } from '../ports/store-memory.ts';
import { originOf, type S3Address } from './address.ts';
import {
  assertGet,
  assertObjectBytes,
  assertObjectKind,
  assertPut,
  objectExists,
  objectLabel,
  objectMissing,
  throwIfCancelled,
  tooShort,
} from './contract.ts';
import { objectPath } from './directory-layout.ts';
import { HttpExchanges, type Answer } from './http-exchange.ts';
import type { S3Credentials, Variables } from './s3-credentials.ts';
import { s3Error } from './s3-errors.ts';
import { readS3Page } from './s3-listing.ts';
import { probeConditionalPut } from './s3-probe.ts';
import { signedHeaders } from './s3-signing.ts';

export interface S3Options {
  readonly address: S3Address;
  readonly credentials: S3Credentials;
  readonly environment: Environment;
  /** Of which `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL` count where the address says nothing. */
  readonly variables?: Variables;
  /** Where it is remembered that a service was found good. Without it each process finds out again before its first put. */
  readonly memory?: StoreMemory;
  /** Milliseconds in which something must move; `EXCHANGE.idleMs` unless given. */
  readonly idleMs?: number;
}

interface Call extends CallOptions {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  /** Below the prefix. */
  readonly path?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Hex SHA-256 of the body; of nothing unless given. */
  readonly bodyHash?: string;
  readonly most?: number;
  readonly what: string;
}

/** SHA-256 of nothing. */
const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const NS_PER_MS = 1_000_000n;

/** Pages of a listing without anything in them that may follow each other; a service could go on so for ever. */
const EMPTY_PAGES = 100;

/**
 * A store in a bucket of an S3 service, with the layout of a directory store below the prefix.
 *
 * - `put` is one PutObject with `If-None-Match: *`, which the service must know: it is tried out before the first put, and a
 *   service that overwrites is refused with `STORE_FAILED`.
 * - An answer of 409, of 5xx or none leaves a put undecided: `STORE_UNREACHABLE`. Whoever tries again looks at the object first.
 * - `receivedMs` is the service's `LastModified`.
 * - Objects must be listed in the order of their names, as S3 does; buckets of the kind "directory" do not.
 * - `delete` removes the newest version only, where a bucket keeps versions.
 */
export class S3Store implements ObjectStore {
  readonly description: string;
  readonly #options: S3Options;
  readonly #origin: URL;
  /** Path of the store in the service, ending in a slash. */
  readonly #root: string;
  readonly #prefix: string;
  readonly #region: string;
  readonly #http: HttpExchanges;
  #proved: Promise<void> | undefined;

  /** Rejects with `USAGE` for an endpoint that is none. Does not ask the service anything. */
  constructor(options: S3Options) {
    const { bucket, prefix, endpoint, region, style } = options.address;
    const variables = options.variables ?? {};
    const named = endpoint ?? (variables['AWS_ENDPOINT_URL_S3'] || variables['AWS_ENDPOINT_URL'] || undefined);
    this.#options = options;
    this.#region = region ?? (variables['AWS_REGION'] || variables['AWS_DEFAULT_REGION'] || 'us-east-1');
    const origin = new URL(named === undefined ? `https://s3.${this.#region}.amazonaws.com` : originOf(named));
    // A dot in the bucket's name does not fit the certificate of a host below the service's.
    const inHost = style === undefined ? named === undefined && !bucket.includes('.') : style === 'host';
    if (inHost) origin.hostname = `${bucket}.${origin.hostname}`;
    this.#origin = origin;
    this.#prefix = prefix === '' ? '' : `${prefix}/`;
    this.#root = inHost ? '/' : `/${bucket}/`;
    this.#http = new HttpExchanges(origin.protocol === 'https:', options.idleMs);
    const where = named === undefined ? '' : ` at ${origin.host}`;
    this.description = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}${where}`;
  }

  async put(key: ObjectKey, body: Uint8Array, options: CallOptions = {}): Promise<void> {
    assertPut(key, body);
    const what = `put ${objectLabel(key)} into ${this.description}`;
    throwIfCancelled(options.signal, what);
    await this.#prove();
    const hashed = key.kind === 'packs' || key.kind === 'index';
    const stored = await this.#putIfAbsent(pathOf(key), body, hashed ? key.name : undefined, what, options);
    if (!stored) throw objectExists(key, this.description);
  }

  /** True when the object was stored, false when the name is taken. */
  async #putIfAbsent(
    path: string,
    body: Uint8Array,
    hash: string | undefined,
    what: string,
    options: CallOptions = {},
  ): Promise<boolean> {
    const bodyHash = hash ?? toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(body))));
    const headers = { 'if-none-match': '*', 'content-type': 'application/octet-stream' };
    const answer = await this.#call({ method: 'PUT', path, body, bodyHash, headers, what, ...options });
    if (answer.status === 200 || answer.status === 201 || answer.status === 204) return true;
    if (answer.status === 412) return false;
    throw this.#error(answer, what);
  }

  /** Resolves when this service is known to keep the promise of a put. */
  async #prove(): Promise<void> {
    this.#proved ??= this.#probe();
    try {
      await this.#proved;
    } catch (error) {
      this.#proved = undefined;
      throw error;
    }
  }

  async #probe(): Promise<void> {
    const { memory, environment } = this.#options;
    const address = `${this.#origin.origin}${this.#root}${this.#prefix}`;
    if ((await memory?.isProved(address)) === true) return;
    const path = `probe-${toHex(environment.random.bytes(16))}`;
    const what = `find out how ${this.description} puts objects`;
    await probeConditionalPut((body) => this.#putIfAbsent(path, body, undefined, what), this.description);
    const answer = await this.#call({ method: 'DELETE', path, what });
    // Who may not delete leaves a few bytes behind, once.
    if (answer.status >= 300 && answer.status !== 403 && answer.status !== 404) throw this.#error(answer, what);
    await memory?.setProved(address);
  }

  async get(key: ObjectKey, options: CallOptions & { readonly range?: ByteRange } = {}): Promise<Uint8Array> {
    assertGet(key, options.range);
    const what = `get ${objectLabel(key)} from ${this.description}`;
    const { range, ...rest } = options;
    if (range?.length === 0) return await this.#nothingOf(key, range, rest, what);
    const headers = range && { range: `bytes=${range.offset}-${range.offset + range.length - 1}` };
    const path = pathOf(key);
    const most = Math.max(range?.length ?? mostBytesOf(key), EXCHANGE.answerBytes);
    const answer = await this.#call({ method: 'GET', path, what, most, ...(headers && { headers }), ...rest });
    if (range === undefined && answer.status === 200) {
      assertObjectBytes(key, answer.body.length);
      return answer.body;
    }
    if (range !== undefined && answer.status === 206) return rangeOf(key, range, answer, what);
    if (range !== undefined && answer.status === 416) throw tooShort(key, totalOf(answer) ?? 0, range);
    throw this.#getError(answer, key, what);
  }

  /** A range of no bytes is only a question, and HTTP has no form for it. */
  async #nothingOf(key: ObjectKey, range: ByteRange, options: CallOptions, what: string): Promise<Uint8Array> {
    const answer = await this.#call({ method: 'HEAD', path: pathOf(key), what, ...options });
    if (answer.status !== 200) throw this.#getError(answer, key, what);
    const sizeBytes = Number(answer.headers['content-length']);
    if (!Number.isSafeInteger(sizeBytes))
      throw new CairnError('STORE_FAILED', `cannot ${what}: the answer has no length`);
    if (sizeBytes < range.offset) throw tooShort(key, sizeBytes, range);
    return new Uint8Array(0);
  }

  #getError(answer: Answer, key: ObjectKey, what: string): CairnError {
    const error = this.#error(answer, what);
    return answer.status === 404 && error.code !== 'REPOSITORY_MISSING' ? objectMissing(key, this.description) : error;
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    assertObjectKind(kind);
    const what = `list ${kind} of ${this.description}`;
    const prefix = `${this.#prefix}${kind === 'config' ? kind : `${kind}/`}`;
    let listed = 0;
    let emptyPages = 0;
    let last = '';
    let token: string | undefined;
    do {
      const from = token === undefined ? {} : { 'continuation-token': token };
      const query = { 'encoding-type': 'url', 'list-type': '2', prefix, ...from };
      const answer = await this.#call({ method: 'GET', query, what, ...options });
      if (answer.status !== 200) throw this.#error(answer, what);
      const page = readS3Page(answer.body, what);
      for (const { path, sizeBytes, modifiedMs } of page.objects) {
        if (path <= last || !path.startsWith(prefix)) throw disorder(what);
        last = path;
        const key = objectAt(kind, path.slice(this.#prefix.length));
        if (key !== undefined) yield { ...key, sizeBytes, receivedMs: modifiedMs };
      }
      listed += page.objects.length;
      emptyPages = page.objects.length === 0 ? emptyPages + 1 : 0;
      if (listed > LIMITS.listedObjects || emptyPages > EMPTY_PAGES) throw disorder(what);
      token = page.next;
    } while (token !== undefined);
    throwIfCancelled(options.signal, what);
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    assertObjectKey(key);
    const what = `delete ${objectLabel(key)} from ${this.description}`;
    const answer = await this.#call({ method: 'DELETE', path: pathOf(key), what, ...options });
    if (answer.status === 200 || answer.status === 204) return;
    const error = this.#getError(answer, key, what);
    if (!isCairnError(error, 'OBJECT_MISSING')) throw error;
  }

  async #call({ path, query = {}, headers = {}, bodyHash = EMPTY_HASH, most, ...rest }: Call): Promise<Answer> {
    const { credentials, environment } = this.#options;
    const url = new URL(this.#origin);
    // A listing asks the bucket, everything else an object.
    url.pathname = path === undefined ? this.#root.replace(/(?<=.)\/$/, '') : `${this.#root}${this.#prefix}${path}`;
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const { method } = rest;
    const signed = await signedHeaders(
      { method, url, headers, bodyHash },
      credentials,
      this.#region,
      environment.clock,
    );
    return await this.#http.exchange({ ...rest, url, headers: signed, most: most ?? EXCHANGE.answerBytes });
  }

  #error(answer: Answer, what: string): CairnError {
    return s3Error(answer, what, Number(this.#options.environment.clock.nowNs() / NS_PER_MS));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http.close();
  }
}

/** What a whole object may have: a hostile service sends what it likes, and many are under way at once. */
function mostBytesOf({ kind }: ObjectKey): number {
  if (kind === 'log') return LIMITS.logEntryBytes;
  return kind === 'packs' || kind === 'index' ? LIMITS.packBytes : LIMITS.keyFileBytes;
}

/** As in a directory store, so that one can be copied into the other. */
function pathOf(key: ObjectKey): string {
  return objectPath('', key);
}

/** The object of a kind that lies at a path; undefined when that is no place of one. */
function objectAt(kind: ObjectKind, path: string): ObjectKey | undefined {
  const key = { kind, name: path.slice(path.lastIndexOf('/') + 1) };
  return isObjectName(kind, key.name) && pathOf(key) === path ? key : undefined;
}

/** The bytes of a partial answer, which must be those that were asked for: all of them, and no others. */
function rangeOf(key: ObjectKey, range: ByteRange, answer: Answer, what: string): Uint8Array {
  const [, first, last] = /^bytes (\d+)-(\d+)\/(?:\d+|\*)$/.exec(answer.headers['content-range'] ?? '') ?? [];
  const total = totalOf(answer);
  const { length } = answer.body;
  const fits = Number(first) === range.offset && Number(last) === range.offset + length - 1 && length <= range.length;
  if (fits && length === range.length) return answer.body;
  if (fits && total === range.offset + length) throw tooShort(key, total, range);
  throw new CairnError('STORE_FAILED', `cannot ${what}: the server sent other bytes than those that were asked for`, {
    hint: 'Check that the address is that of a store; do not trust this server otherwise.',
  });
}

/** Size of the whole object, by the answer to a request for a part of it. */
function totalOf({ headers }: Answer): number | undefined {
  const total = /^bytes .*\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

function disorder(what: string): CairnError {
  return new CairnError('STORE_FAILED', `cannot ${what}: the listing is out of order, or has no end`, {
    hint: 'A bucket must list its objects by name, each once, as general purpose buckets of S3 do.',
  });
}
