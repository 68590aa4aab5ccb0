import { DirectoryStore, openHttpStore, systemEnvironment } from '@cairn/core';
import { testObjectStore } from '@cairn/core/testing';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';

import { plainListener, tlsListener } from '../dist/carriers/listener.js';
import { plainClient } from '../dist/clients/client.js';
import { makeApp } from '../dist/http/app.js';
import { Counters } from '../dist/operate/counters.js';
import { silentLogger } from '../dist/operate/logger.js';
import { OpenHost } from '../dist/repository/open-host.js';
import { makeCertificate, type TestCertificate } from './support/certificate.ts';

/** A server without roles and rules: what the port promises, over the real carrier. */
async function listen(directory: string, certificate: TestCertificate | undefined): Promise<Server> {
  const host = new OpenHost(await DirectoryStore.create(join(directory, 'store')));
  const app = makeApp({
    identify: async () => ({ client: plainClient('test', 'main', 'maintain'), host }),
    peerAddress: (peer) => peer,
    counters: new Counters(),
    logger: silentLogger,
    health: async () => undefined,
    metrics: async () => '',
  });
  const { server } =
    certificate === undefined
      ? plainListener(app)
      : tlsListener(app, { cert: certificate.certificate, key: certificate.key });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return server;
}

describe.each(['http', 'https'] as const)('a store at an %s address', (scheme) => {
  const scratch = mkdtempSync(join(tmpdir(), 'cairn-http-'));
  let certificate: TestCertificate | undefined;
  const servers: Server[] = [];

  beforeAll(() => {
    if (scheme === 'https') certificate = makeCertificate(scratch);
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  testObjectStore(
    it,
    async () => {
      const server = await listen(mkdtempSync(join(scratch, 'case-')), certificate);
      servers.push(server);
      const { port } = server.address() as AddressInfo;
      const ca = certificate === undefined ? {} : { ca: certificate.ca };
      return openHttpStore({ address: `${scheme}://localhost:${port}`, token: 'cairn_test', ...ca });
    },
    { environment: systemEnvironment, throwaway: true },
  );
});
