import { DirectoryStore, openHttpStore, openSshStore, systemEnvironment, type ObjectStore } from '@cairn/core';
import { logName, type Decision, type ObjectKey } from '@cairn/core/server';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { authorizedKeysLine } from '../dist/clients/authorized-keys.js';
import { plainClient } from '../dist/clients/client.js';
import { ROLE_TABLE, ROLES, type Right, type Role } from '../dist/roles.js';
import { listenWith, makeCertificate } from './support/certificate.ts';
import { Forger } from './support/forger.ts';
import { statusOf } from './support/http2.ts';
import { ServerPlace } from './support/place.ts';
import { Sshd, SERVER_COMMAND } from './support/sshd.ts';

const PAGE = new URL('../../../docs/reference/server-protocol.md', import.meta.url);

describe('the table of roles', () => {
  it('is the one that the documentation shows', () => {
    const page = readFileSync(PAGE, 'utf8');
    const [, shown = ''] = /<!-- from roles.ts -->([^]*?)<!-- end -->/.exec(page) ?? [];
    const rows = shown
      .split('\n')
      .filter((line) => line.startsWith('| ') && !line.startsWith('| -'))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
    const cell = (row: (typeof ROLE_TABLE)[number], role: Role): string =>
      row.roles.includes(role) ? '✓' : row.optional?.includes(role) === true ? 'option' : '–';
    const table = ROLE_TABLE.map((row) => [row.what, ...ROLES.map((role) => cell(row, role))]);
    expect(rows).toEqual([['what', ...ROLES], ...table]);
  });
});

/** What a client tries for a right; resolves if it may. An entry of the log is made to be good for everybody who may write it. */
type Attempt = (store: ObjectStore, forger: Forger) => Promise<unknown>;

const name = (kind: ObjectKey['kind']): ObjectKey =>
  kind === 'keys' ? { kind, name: '7'.repeat(32) } : { kind, name: '7'.repeat(64) };

const get =
  (key: (forger: Forger) => ObjectKey): Attempt =>
  (store, forger) =>
    store.get(key(forger));

const list =
  (kind: ObjectKey['kind']): Attempt =>
  async (store) => {
    for await (const info of store.list(kind)) expect(info.kind).toBe(kind);
  };

const put =
  (kind: 'packs' | 'index'): Attempt =>
  async (store, forger) => {
    const { key, body } = forger.object(kind);
    await store.put(key, body);
  };

const append =
  (kind: Decision['kind']): Attempt =>
  async (store, forger) => {
    const { seq, object } = await forger.next(kind);
    await store.put({ kind: 'log', name: logName(seq) }, object);
  };

/** In this order for who may; for who may not, each alone. */
const ATTEMPTS: Readonly<Record<Exclude<Right, 'status' | 'put config'>, readonly Attempt[]>> = {
  'read structure': [
    get(() => ({ kind: 'config', name: 'config' })),
    get(() => ({ kind: 'log', name: logName(1) })),
    get((forger) => ({ kind: 'index', name: forger.segment })),
    ...(['config', 'log', 'index'] as const).map(list),
  ],
  'read packs': [get((forger) => ({ kind: 'packs', name: forger.pack })), list('packs')],
  'read keys': [get(() => SLOT), list('keys')],
  'put packs': [put('packs'), put('index')],
  'change keys': [(store) => store.put(name('keys'), new Uint8Array(10)), (store) => store.delete(name('keys'))],
  'remove swept': [
    (store, forger) => store.delete({ kind: 'packs', name: forger.swept }),
    (store, forger) => store.delete({ kind: 'index', name: forger.sweptSegment }),
  ],
  'log COMMIT': [append('COMMIT')],
  'log INDEX': [append('INDEX')],
  'log RESCUE': [append('RESCUE')],
  'log PIN': [append('PIN')],
  // There is a pin; of its own, for who may.
  'log UNPIN': [append('UNPIN')],
  'log DELETE': [append('DELETE')],
  'log UNDELETE': [append('UNDELETE')],
  'log ANNOTATE': [append('ANNOTATE')],
  'log CONDEMN': [append('CONDEMN')],
  'log SWEEP': [append('SWEEP')],
  'log CHECK': [append('CHECK')],
};

/** A key slot that is there. */
const SLOT: ObjectKey = { kind: 'keys', name: '8'.repeat(32) };

describe.each(['https', 'ssh'] as const)('roles over %s', (carrier) => {
  const scratch = mkdtempSync(join(tmpdir(), 'cairn-roles-'));
  let place: ServerPlace;
  let sshd: Sshd | undefined;
  let forger: Forger;
  /** The repository, past the server. */
  let behind: ObjectStore;
  const stores = new Map<string, ObjectStore>();
  /** What no store asks for: a connection of the carrier itself, and its credential. */
  const raw = new Map<string, () => { readonly session: ClientHttp2Session; readonly token: string | undefined }>();

  beforeAll(async () => {
    const { files, ca } = makeCertificate(scratch);
    place = await ServerPlace.create({
      floors: 'grace = "0s"\nkept-archives = 0',
      listen: listenWith(files),
    });
    forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    behind = await DirectoryStore.open(place.repositoryPath);
    await behind.put(SLOT, new Uint8Array(10));
    const clients = [
      ...ROLES.map((role) => plainClient(role, 'main', role)),
      { ...plainClient('with-option', 'main', 'append'), withOptions: true },
    ];
    if (carrier === 'https') {
      const { address } = await place.start();
      for (const { name: client, ...more } of clients) {
        const token = await place.token(client, more.role, more);
        stores.set(client, openHttpStore({ address, token, ca }));
        raw.set(client, () => ({ session: connectHttp2(address, { ca }), token }));
      }
      return;
    }
    const daemon = await Sshd.start();
    sshd = daemon;
    const lines: string[] = [];
    for (const client of clients) {
      const publicKey = readFileSync(`${daemon.key(client.name)}.pub`, 'utf8')
        .split(' ')
        .slice(0, 2)
        .join(' ');
      await place.register(client, { kind: 'ssh', publicKey });
      lines.push(authorizedKeysLine(client, publicKey, SERVER_COMMAND, place.config));
      stores.set(client.name, openSshStore({ address: daemon.address, options: daemon.options(client.name) }));
      raw.set(client.name, () => ({ session: daemon.session(client.name), token: undefined }));
    }
    daemon.authorize(...lines);
  });

  afterAll(async () => {
    for (const store of stores.values()) await store[Symbol.asyncDispose]();
    await sshd?.[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true });
  });

  const cells = ROLE_TABLE.flatMap((row) =>
    row.rights.flatMap((right) =>
      ROLES.map((role) => ({ right, role, may: row.roles.includes(role), client: role as string })),
    ),
  );
  const optional = { right: 'read packs', role: 'append', may: true, client: 'with-option' } as const;

  it.each([...cells, optional])('$client: $right: $may', async ({ right, role, client, may }) => {
    const store = stores.get(client) as ObjectStore;
    if (right === 'status') {
      const { session, token } = (
        raw.get(client) as () => { session: ClientHttp2Session; token: string | undefined }
      )();
      expect(await statusOf(session, { ':path': '/v1/status' }, token)).toBe(may ? 200 : 403);
      session.destroy();
      return;
    }
    // What it says is that of the role, and of no other rule that would refuse the same.
    const denied = {
      code: 'STORE_DENIED',
      message: expect.stringMatching(new RegExp(`${client} may not .*: its role is ${role}$`)),
    };
    if (right === 'put config') {
      const config = store.put({ kind: 'config', name: 'config' }, systemEnvironment.random.bytes(10));
      // There is one: who may put it learns that, who may not learns nothing.
      await expect(config).rejects.toMatchObject(may ? { code: 'OBJECT_EXISTS' } : denied);
      return;
    }
    if (right === 'log UNPIN') {
      if (may) await append('PIN')(store, forger);
      else {
        const { seq, object } = await forger.next('PIN');
        await behind.put({ kind: 'log', name: logName(seq) }, object);
      }
    }
    for (const attempt of ATTEMPTS[right]) {
      if (may) await attempt(store, forger);
      else await expect(attempt(store, forger)).rejects.toMatchObject(denied);
    }
  });
});
