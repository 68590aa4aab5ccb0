import { openHttpStore } from '@cairn/core';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { backUp, makeRepository, restoreDifferences, writeFiles } from './support/backups.ts';
import { ServerPlace } from './support/place.ts';
import { ServerProcess } from './support/server-process.ts';

const CLIENTS = 16;
/** What the server is promised to stay below, whatever its clients do. */
const MEMORY_BYTES = 200_000_000;

describe(`${CLIENTS} clients that back up into one repository at once`, () => {
  it('get every archive in, and the server stays small', async () => {
    const place = await ServerPlace.create();
    const server = await ServerProcess.start(place.config);
    const { address } = server;
    const admin = openHttpStore({ address, token: await place.token('admin', 'maintain') });
    const keys = await makeRepository(admin);
    const clients: { name: string; directory: string; token: string }[] = [];
    for (let number = 0; number < CLIENTS; number += 1) {
      const [name, directory] = [`client-${number}`, place.path(`source-${number}`)];
      writeFiles(directory, 5, 4_000_000);
      clients.push({ name, directory, token: await place.token(name, 'append') });
    }
    const archives = await Promise.all(
      clients.map(async ({ name, directory, token }) => {
        const { id } = await backUp(openHttpStore({ address, token }), keys, directory, name);
        return { id, directory };
      }),
    );
    const reader = openHttpStore({ address, token: await place.token('reader', 'read') });
    for (const { id, directory } of archives) {
      expect(await restoreDifferences(reader, keys, id, directory, place.path('restored'))).toEqual([]);
    }
    expect(server.peakMemory()).toBeLessThan(MEMORY_BYTES);
    const ledger = readFileSync(place.path('state', 'repositories', 'main', 'ledger'), 'utf8');
    for (const { name } of clients) expect(ledger).toContain(`"client":"${name}","log"`);
    for (const store of [admin, reader]) await store[Symbol.asyncDispose]();
    await server.end('SIGTERM');
    await place[Symbol.asyncDispose]();
  }, 120_000);
});
