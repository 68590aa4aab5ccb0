import { ERROR_TABLE, PANEL, type ErrorCode } from '@cairn/core';
import { RunStore } from '@cairn/jobs';
import fc from 'fast-check';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { problemCode } from '../src/http/problem.ts';
import { rawRequest, type RawAnswer, type RawRequest } from './support/raw-request.ts';
import { mutations, sampleOf, STRANGE_TEXTS, type Schema } from './support/samples.ts';
import { NOBODY, ScratchPanel, type Caller, type Visitor } from './support/scratch-panel.ts';
import { backUp, makeTree } from './support/stock.ts';

/** Rounds of bodies that are made at random, for each route. */
const ROUNDS = Number(process.env['CAIRN_FUZZ_ROUNDS'] ?? 5);
/** Requests at the same time. */
const WIDTH = 8;

const CODES: readonly string[] = (Object.keys(ERROR_TABLE) as ErrorCode[]).map(problemCode);

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly security: readonly Readonly<Record<string, unknown>>[];
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  readonly body: Schema | undefined;
}

let panel: ScratchPanel;
let admin: Visitor;
let token: Caller;
let operations: Operation[];
/** What stands in paths where nothing strange does: something that is there, so that what lies behind it is reached. */
let there: Readonly<Record<string, string>>;

beforeAll(async () => {
  panel = await ScratchPanel.make();
  await backUp(panel, [makeTree(panel)]);
  const run = await new RunStore(join(panel.config['state-directory'], 'runs')).create('nightly', 'job', 'manual');
  await run.end({ status: 'success', exit: 0, figures: {} });
  there = { repository: 'main', archive: 'latest', other: 'latest', run: run.id };
  admin = await panel.setUp();
  await panel.openGate(admin);
  const { rights } = await panel.good<{ rights: never[] }>(admin, 'GET', '/api/v1/session');
  token = await panel.token(admin, rights);
  operations = operationsOf(await panel.good(NOBODY, 'GET', '/api/v1/openapi.json'));
});

afterAll(() => panel.remove());

/** All that a client can learn from the document; logging out would end the test. */
function operationsOf(document: Record<string, unknown>): Operation[] {
  const paths = document['paths'] as Record<string, Record<string, Record<string, unknown>>>;
  return Object.entries(paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        security: operation['security'] as Operation['security'],
        parameters: (operation['parameters'] ?? []) as Operation['parameters'],
        body: bodySchema(operation['requestBody']),
      })),
    )
    .filter(({ method, path }) => !(method === 'DELETE' && path === '/api/v1/session'));
}

function bodySchema(body: unknown): Schema | undefined {
  const content = (body as { content?: Record<string, { schema: Schema }> } | undefined)?.content;
  return content?.['application/json']?.schema;
}

/** Who is let in there: a token where one will do, for it is not held up by the header of pages. */
function callerFor({ security }: Operation): Caller {
  if (security.length === 0) return NOBODY;
  return security.some((each) => 'token' in each) ? token : admin;
}

/** Half of a pair cannot be written as UTF-8. */
function wellFormed(text: string): string {
  return text.replaceAll(/\p{Cs}/gu, '?');
}

function filled({ path, parameters }: Operation, values: Readonly<Record<string, string>> = {}): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const known = parameters.some((each) => each.in === 'path' && each.name === name);
    return values[name] ?? (known ? there[name] : undefined) ?? 'none';
  });
}

/** The one promise: never a mistake of the program, and always an error in the one form. */
function judge(what: string, { status, type, text }: RawAnswer): void {
  if (status < 400) return;
  expect(type, `${what}: ${text.slice(0, 300)}`).toBe('application/problem+json');
  const problem = JSON.parse(text) as { status: number; code: string; detail: string; type: string };
  expect(problem.status, what).toBe(status);
  expect(CODES, what).toContain(problem.code);
  expect(problem.type).toBe(`urn:cairn:error:${problem.code}`);
  expect(problem.code, `${what}: ${text}`).not.toBe('internal');
  expect(status, `${what}: ${text}`).not.toBe(500);
}

async function all(requests: Iterable<RawRequest>): Promise<number> {
  let count = 0;
  const iterator = requests[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      const request = next.value;
      count += 1;
      const body = typeof request.body === 'string' ? request.body.slice(0, 200) : '';
      judge(`${request.method} ${request.path.slice(0, 200)} ${body}`, await rawRequest(panel.panel.address, request));
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, work));
  return count;
}

describe('whatever is sent to whichever route of the document', () => {
  it('has routes to send to', () => {
    expect(operations.length).toBeGreaterThan(20);
  });

  it('in paths', async () => {
    function* requests(): Generator<RawRequest> {
      const raw = ['%', '%2e%2e%2f%2e%2e', '%00', '%ff%fe', '..%2f..', '%0d%0aset-cookie:%20evil=1', '.'];
      const texts = [
        ...STRANGE_TEXTS.filter((text) => text !== '').map((text) => encodeURIComponent(wellFormed(text))),
        ...raw,
      ];
      for (const operation of operations) {
        for (const { name, in: where } of operation.parameters) {
          if (where !== 'path') continue;
          for (const text of texts) {
            const path = filled(operation, { [name]: text });
            if (path.length < 12_000)
              yield { method: operation.method, path, headers: { ...callerFor(operation).headers } };
          }
        }
      }
    }
    expect(await all(requests())).toBeGreaterThan(100);
  });

  it('in queries', async () => {
    function* requests(): Generator<RawRequest> {
      for (const operation of operations) {
        const { method } = operation;
        const headers = { ...callerFor(operation).headers };
        const path = filled(operation);
        yield { method, path: `${path}?unknown=1`, headers };
        yield { method, path: `${path}?__proto__[x]=1&constructor=1`, headers };
        for (const { name, in: where } of operation.parameters) {
          if (where !== 'query') continue;
          yield { method, path: `${path}?${name}=1&${name}=2`, headers };
          yield { method, path: `${path}?${name}=%ff%`, headers };
          for (const text of STRANGE_TEXTS) {
            yield { method, path: `${path}?${name}=${encodeURIComponent(wellFormed(text))}`, headers };
          }
        }
      }
    }
    await all(requests());
  });

  it('in bodies', async () => {
    function* requests(): Generator<RawRequest> {
      for (const operation of operations) {
        const { method, body: schema } = operation;
        const headers = { ...callerFor(operation).headers, 'content-type': 'application/json' };
        const path = filled(operation);
        if (schema === undefined) {
          if (method !== 'GET') yield { method, path, headers, body: '{"unexpected": 1}' };
          continue;
        }
        const sample = sampleOf(schema);
        for (const value of mutations(sample)) yield { method, path, headers, body: JSON.stringify(value) };
        for (const value of fc.sample(fc.jsonValue(), { numRuns: ROUNDS, seed: 20_261_121 })) {
          yield { method, path, headers, body: JSON.stringify(value) };
        }
        const text = JSON.stringify(sample);
        for (const broken of [
          '',
          '{',
          text.slice(0, -1),
          `${text}x`,
          `\ufeff${text}`,
          'NaN',
          '{"__proto__": {"role": "admin"}}',
        ]) {
          yield { method, path, headers, body: broken };
        }
        yield { method, path, headers, body: Buffer.from([0x22, 0xff, 0xfe, 0x22]) };
        yield { method, path, headers, body: '['.repeat(50_000) };
        for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', '']) {
          yield { method, path, headers: { ...headers, 'content-type': type }, body: text };
        }
      }
    }
    expect(await all(requests())).toBeGreaterThan(1_000);
  }, 300_000);

  it('in methods', async () => {
    function* requests(): Generator<RawRequest> {
      for (const operation of operations) {
        for (const method of ['OPTIONS', 'HEAD', 'PUT', 'PATCH', 'TRACE', 'PROPFIND']) {
          if (method === operation.method || operation.path.endsWith('/password')) continue;
          yield { method, path: filled(operation), headers: { ...callerFor(operation).headers } };
        }
      }
    }
    const answers = await Promise.all([...requests()].map((request) => rawRequest(panel.panel.address, request)));
    expect(answers.every(({ status }) => status < 500)).toBe(true);
  });
});

describe('bodies that are too long', () => {
  const path = '/api/v1/session';

  it('get 413, also when they do not say their length', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ name: 'x'.repeat(2 * PANEL.bodyBytes), password: 'y' });
    const told = await rawRequest(panel.panel.address, { method: 'POST', path, headers, body });
    expect(told).toMatchObject({ status: 413, type: 'application/problem+json' });
    expect(JSON.parse(told.text)).toMatchObject({ code: 'limit-exceeded' });
    const chunked = { ...headers, 'transfer-encoding': 'chunked' };
    const untold = await rawRequest(panel.panel.address, { method: 'POST', path, headers: chunked, body });
    expect(untold.status).toBe(413);
  });

  it('are not read to their end', async () => {
    const { hostname, port } = new URL(panel.panel.address);
    const socket = connect(Number(port), hostname);
    const answer = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (part) => (text += part.toString()));
      socket.on('error', () => resolve(text)).on('close', () => resolve(text));
    });
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100000000000\r\n\r\n{`,
    );
    expect(await answer).toMatch(/^HTTP\/1\.1 413 /);
  });
});

describe('what is no request', () => {
  it.each([
    ['no HTTP', 'HELO panel\r\n\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(64_000)}\r\n\r\n`, 431],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', 400],
    [
      'length and chunks',
      'POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['no host', 'GET /api/v1/health HTTP/1.1\r\n\r\n', 400],
    ['a host that is none', 'GET /api/v1/health HTTP/1.1\r\nhost: a b/c?#@\r\nconnection: close\r\n\r\n', 400],
  ])('%s gets a problem, and the panel goes on', async (_, bytes, status) => {
    const { hostname, port } = new URL(panel.panel.address);
    const text = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.end(bytes));
      let got = '';
      socket.on('data', (part) => (got += part.toString()));
      socket.on('error', () => resolve(got)).on('close', () => resolve(got));
    });
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text.toLowerCase()).toContain('application/problem+json');
    expect((await panel.ask(NOBODY, 'GET', '/api/v1/health')).status).toBe(200);
  });

  it('cannot put headers into an answer', async () => {
    const path = '/api/v1/repositories/a%0d%0aset-cookie:evil=1/recovery-key';
    const { headers } = await rawRequest(panel.panel.address, { method: 'GET', path, headers: { ...token.headers } });
    expect(headers['set-cookie']).toBeUndefined();
  });
});
