import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemEnvironment } from '@cairn/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { alertsSchema, sendAlerts, sendStart, type AlertContext, type AlertFacts } from '../dist/index.js';

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const asked: Asked[] = [];
let answer: (response: ServerResponse, times: number) => void;
let server: Server;
let address: string;
let directory: string;
let waits: number[];

beforeEach(async () => {
  asked.length = 0;
  waits = [];
  answer = (response) => response.end('ok');
  directory = mkdtempSync(join(tmpdir(), 'cairn-hook-'));
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      asked.push({ method, url, headers, body: Buffer.concat(pieces).toString() });
      answer(response, asked.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true });
});

/** Waits are counted, not waited for. */
function context(): AlertContext {
  const timer = { wait: (ms: number) => (waits.push(ms), Promise.resolve()) };
  return { environment: systemEnvironment, timer, signal: new AbortController().signal };
}

const FACTS: AlertFacts = {
  job: 'nightly',
  host: 'web',
  outcome: {
    run: 'r1',
    status: 'failed',
    seconds: 3,
    steps: [{ step: 'backup', status: 2, error: { message: 'no answer' } }],
    figures: { files: 1 },
    archive: undefined,
  },
  previousStatus: 'success',
  log: 'what was said\n',
};

describe('a webhook', () => {
  it('gets what happened, signed', async () => {
    const secret = join(directory, 'secret');
    writeFileSync(secret, 'hook secret\n');
    const alerts = alertsSchema.parse({ webhook: { url: `${address}/hook?x=1`, 'secret-file': secret } });
    expect(await sendAlerts(alerts, FACTS, context())).toEqual([{ channel: 'webhook', error: undefined }]);
    const [request] = asked;
    expect(request).toMatchObject({ method: 'POST', url: '/hook?x=1' });
    expect(JSON.parse(request?.body ?? '')).toEqual({
      event: 'failure',
      job: 'nightly',
      host: 'web',
      title: '[Cairn] FAILED: nightly on web',
      previous_status: 'success',
      run: 'r1',
      status: 'failed',
      seconds: 3,
      figures: { files: 1 },
      failed_steps: [{ step: 'backup', status: 2, message: 'no answer' }],
      log: 'what was said',
    });
    const [, seconds = '', hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(request?.headers['cairn-signature'])) ?? [];
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60);
    expect(createHmac('sha256', 'hook secret').update(`${seconds}.${request?.body}`).digest('hex')).toBe(hex);
  });

  it('is tried again with the same delivery, for what may pass only', async () => {
    const alerts = alertsSchema.parse({ webhook: { url: address } });
    answer = (response, times) => response.writeHead(times < 3 ? 503 : 204).end();
    expect((await sendAlerts(alerts, FACTS, context()))[0]?.error).toBeUndefined();
    expect(new Set(asked.map(({ headers }) => headers['cairn-delivery'])).size).toBe(1);
    expect([asked.length, waits]).toEqual([3, [1_000, 2_000]]);
    answer = (response) => response.writeHead(404).end();
    expect((await sendAlerts(alerts, FACTS, context()))[0]?.error).toMatchObject({
      code: 'ALERT_FAILED',
      message: expect.stringContaining('it answered 404'),
    });
    expect(asked).toHaveLength(4);
    answer = (response) => response.writeHead(500).end();
    expect((await sendAlerts(alerts, FACTS, context()))[0]?.error).toMatchObject({ code: 'ALERT_FAILED' });
    expect(asked).toHaveLength(8);
  });

  it('is followed within its own server, and never to another', async () => {
    const alerts = alertsSchema.parse({ webhook: { url: `${address}/old` } });
    answer = (response, times) => (times === 1 ? response.writeHead(308, { location: '/new' }).end() : response.end());
    expect((await sendAlerts(alerts, FACTS, context()))[0]?.error).toBeUndefined();
    expect(asked.map(({ url }) => url)).toEqual(['/old', '/new']);
    const other = createServer((_, response) => response.end());
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
      let reached = 0;
      other.on('request', () => reached++);
      for (const location of [elsewhere, elsewhere.replace('127.0.0.1', 'localhost'), 'file:///etc/passwd']) {
        answer = (response) => response.writeHead(307, { location }).end();
        expect((await sendAlerts(alerts, FACTS, context()))[0]?.error?.message).toMatch(/points to another server/);
      }
      expect(reached).toBe(0);
    } finally {
      other.close();
    }
    answer = (response) => response.writeHead(307, { location: '/again' }).end();
    expect((await sendAlerts(alerts, FACTS, context()))[0]?.error?.message).toMatch(/from one address to the next/);
  });

  it('that does not answer is given up, and tells nothing of its address but the host', async () => {
    const alerts = alertsSchema.parse({
      webhook: { url: `${address}/token-in-path`, 'time-limit': '200ms', retries: 1 },
    });
    answer = () => {
      // What nobody holds is gone while it is waited for.
      collectGarbage();
    };
    const [result] = await sendAlerts(alerts, FACTS, context());
    expect(result?.error).toMatchObject({
      code: 'ALERT_FAILED',
      message: expect.stringContaining('no answer within 0.2 s'),
    });
    expect(`${result?.error?.message} ${result?.error?.hint}`).not.toContain('token-in-path');
    expect(asked).toHaveLength(2);
  });
});

describe('a service that waits for pings', () => {
  it('is told of start, success and failure, whatever the other alerts are for', async () => {
    const alerts = alertsSchema.parse({ on: ['missed'], ping: { url: `${address}/uuid` }, webhook: { url: address } });
    const good = { ...FACTS, outcome: FACTS.outcome && { ...FACTS.outcome, status: 'warning' as const } };
    expect(await sendStart(alerts, context())).toEqual([{ channel: 'ping', error: undefined }]);
    await sendAlerts(alerts, FACTS, context());
    await sendAlerts(alerts, good, context());
    expect(asked.map(({ url, body }) => [url, body])).toEqual([
      ['/uuid/start', ''],
      ['/uuid/fail', 'what was said'],
      ['/uuid', 'what was said'],
    ]);
    asked.length = 0;
    await sendAlerts(alerts, { ...FACTS, outcome: undefined }, context());
    expect(asked.map(({ url }) => url)).toEqual(['/']);
  });

  it('may have addresses of its own for each, and its failure is a result', async () => {
    const own = { url: `${address}/a`, 'start-url': `${address}/b`, 'failure-url': `${address}/c?d=e` };
    const alerts = alertsSchema.parse({ ping: own });
    answer = (response) => response.writeHead(500).end();
    const [start] = await sendStart(alerts, context());
    const [failure] = await sendAlerts(alerts, FACTS, context());
    expect([start?.error?.code, failure?.error?.code]).toEqual(['ALERT_FAILED', 'ALERT_FAILED']);
    expect(asked.map(({ url }) => url)).toEqual(['/b', '/b', '/b', '/c?d=e', '/c?d=e', '/c?d=e']);
  });
});
