import type { OutgoingHttpHeaders } from 'node:http2';
import { CairnError } from '../errors.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import { assertGet, assertObjectKind, assertPut, objectLabel, throwIfCancelled, tooShort } from './contract.ts';
import { assertObjectKey } from '../ids.ts';
import type { Connect } from './wire-connection.ts';
import { WireConnections } from './wire-connections.ts';
import type { WireAnswer, WireRequest } from './wire-exchange.ts';
import {
  contentRange,
  ERROR_HEADER,
  errorOfAnswer,
  objectUrl,
  pageUrl,
  parsePage,
  rangeHeader,
} from './wire-protocol.ts';

export interface WireStoreOptions {
  readonly description: string;
  readonly connect: Connect;
  /** Connections that there may be at once; see `WireConnections`. One unless given. */
  readonly connections?: number;
  /** Before each path; none unless given. */
  readonly prefix?: string;
  /** Go with every request: the credential, where the carrier has none of its own. */
  readonly headers?: OutgoingHttpHeaders;
  /** Milliseconds after which a request without progress is given up; `LIMITS.wireSilenceMs` unless given. */
  readonly silenceMs?: number;
  /** False where the other side serves a directory as it is, without judging what is put; true unless given. */
  readonly keepsLog?: boolean;
}

/**
 * A store behind a repository server: the protocol of docs/reference/server-protocol.md over any carrier. Many requests share a
 * connection. The server may be hostile: lengths and ranges are compared with what was asked for, and bodies are bounded.
 */
export class WireStore implements ObjectStore {
  readonly description: string;
  readonly keepsLog: boolean;
  readonly #connections: WireConnections;
  readonly #prefix: string;
  readonly #headers: OutgoingHttpHeaders;
  readonly #silenceMs: number;

  constructor(options: WireStoreOptions) {
    const { description, connect, prefix = '', headers = {}, keepsLog = true } = options;
    this.description = description;
    this.keepsLog = keepsLog;
    this.#connections = new WireConnections(connect, options.connections ?? 1);
    this.#prefix = prefix;
    this.#headers = headers;
    this.#silenceMs = options.silenceMs ?? LIMITS.wireSilenceMs;
  }

  async put(key: ObjectKey, body: Uint8Array, options: CallOptions = {}): Promise<void> {
    assertPut(key, body);
    const what = `put ${objectLabel(key)} to ${this.description}`;
    await this.#send({ method: 'PUT', path: objectUrl(key), body, most: LIMITS.wireErrorBytes, what }, options);
  }

  async get(key: ObjectKey, options: CallOptions & { readonly range?: ByteRange } = {}): Promise<Uint8Array> {
    assertGet(key, options.range);
    const { range } = options;
    const what = `get ${objectLabel(key)} from ${this.description}`;
    const path = objectUrl(key);
    if (range === undefined) {
      return (await this.#send({ method: 'GET', path, most: LIMITS.packBytes, what }, options)).body;
    }
    if (range.length === 0) return await this.#nothing(key, range, what, options);
    const headers = { range: rangeHeader(range) };
    const { length } = range;
    const answer = await this.#send({ method: 'GET', path, most: length, expected: length, what }, options, headers);
    const given = String(answer.headers['content-range']);
    if (answer.status === 206 && answer.body.length === range.length && given.startsWith(rangeStart(range))) {
      return answer.body;
    }
    throw new CairnError('STORE_FAILED', `cannot ${what}: the server answered with another range than was asked for`, {
      hint: 'The server, or a proxy before it, is faulty or hostile.',
    });
  }

  /** HTTP has no empty ranges; whether the object reaches so far is asked all the same. */
  async #nothing(key: ObjectKey, range: ByteRange, what: string, options: CallOptions): Promise<Uint8Array> {
    const answer = await this.#send({ method: 'HEAD', path: objectUrl(key), most: 0, what }, options);
    const sizeBytes = Number(answer.headers['content-length']);
    if (!(range.offset <= sizeBytes)) throw tooShort(key, sizeBytes, range);
    return new Uint8Array(0);
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    assertObjectKind(kind);
    const what = `list ${kind} of ${this.description}`;
    for (let after = '', more = true; more;) {
      const request = { method: 'GET', path: pageUrl(kind, after), most: LIMITS.wirePageBytes, what } as const;
      const page = parsePage(kind, after, textOf(await this.#send(request, options)), what);
      for (const info of page.infos) {
        throwIfCancelled(options.signal, what);
        yield info;
      }
      more = page.more;
      after = page.infos.at(-1)?.name ?? after;
    }
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    assertObjectKey(key);
    const what = `delete ${objectLabel(key)} from ${this.description}`;
    await this.#send({ method: 'DELETE', path: objectUrl(key), most: LIMITS.wireErrorBytes, what }, options);
  }

  async #send(
    request: Omit<WireRequest, 'headers' | 'signal' | 'pace' | 'silenceMs'>,
    { signal, pace }: CallOptions,
    headers: OutgoingHttpHeaders = {},
  ): Promise<WireAnswer> {
    throwIfCancelled(signal, request.what);
    const answer = await this.#connections.send({
      ...request,
      path: `${this.#prefix}${request.path}`,
      headers: { ...this.#headers, ...headers },
      silenceMs: this.#silenceMs,
      ...(signal === undefined ? {} : { signal }),
      ...(pace === undefined ? {} : { pace }),
    });
    if (answer.status >= 200 && answer.status < 300) return answer;
    const code = answer.headers[ERROR_HEADER];
    throw errorOfAnswer(answer.status, typeof code === 'string' ? code : undefined, answer.body, request.what);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections.close();
  }
}

/** `bytes 5-9/`: the size that follows is the server's to say. */
function rangeStart(range: ByteRange): string {
  return contentRange(range, 0).slice(0, -1);
}

function textOf({ body }: WireAnswer): string {
  return Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1');
}
