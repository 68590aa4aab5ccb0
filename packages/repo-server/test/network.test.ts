import { openStore, type Capabilities, type ObjectStore } from '@cairn/core';
import { TcpProxy, type Accident } from '@cairn/core/testing';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { authorizedKeysLine } from '../dist/clients/authorized-keys.js';
import { plainClient } from '../dist/clients/client.js';
import { backUp, makeRepository, restoreDifferences, writeFiles } from './support/backups.ts';
import { listenWith, makeCertificate } from './support/certificate.ts';
import { ServerPlace } from './support/place.ts';
import { Sshd, SERVER_COMMAND } from './support/sshd.ts';

const RETRY_MS = 30_000;
const ROLES = ['append', 'maintain', 'read'] as const;
type Role = (typeof ROLES)[number];

interface Way {
  readonly name: string;
  /** Each way. */
  readonly delayMs: number;
  /** How many, and the bytes of each. */
  readonly files: readonly [number, number];
  readonly accidents?: readonly Accident[];
  /** What `CAIRN_SSH_CONNECTIONS` is. */
  readonly bound?: string;
  /** Connections of the writer and the reader together. */
  readonly least: number;
  readonly most: number;
}

/** The real server behind a real network that has accidents; in the place of network emulation, which not every kernel has. */
describe.each(['https', 'ssh'] as const)('a bad network over %s', (carrier) => {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-network-'));
  let place: ServerPlace;
  let sshd: Sshd | undefined;
  let proxy: TcpProxy;
  let target: number;
  let keys: Capabilities;
  /** Where a client finds the server through the proxy, and what it needs for that. */
  let whereabouts: (role: Role) => { address: string; variables: Record<string, string | undefined> };
  let rounds = 0;
  let bound: string | undefined;

  beforeAll(async () => {
    if (carrier === 'https') {
      const { files } = makeCertificate(directory);
      place = await ServerPlace.create({
        listen: listenWith(files),
      });
      target = (await place.start()).port;
      const tokens = new Map<string, string>();
      for (const role of ROLES) tokens.set(role, await place.token(role, role));
      whereabouts = (role) => ({
        address: `https://127.0.0.1:${proxy.port}`,
        variables: { CAIRN_TOKEN: tokens.get(role), CAIRN_CA_FILE: files.ca },
      });
    } else {
      place = await ServerPlace.create();
      const daemon = await Sshd.start();
      sshd = daemon;
      target = daemon.port;
      const lines: string[] = [];
      for (const role of ROLES) {
        const publicKey = readFileSync(`${daemon.key(role)}.pub`, 'utf8')
          .split(' ')
          .slice(0, 2)
          .join(' ');
        const client = plainClient(role, 'main', role);
        await place.register(client, { kind: 'ssh', publicKey });
        lines.push(authorizedKeysLine(client, publicKey, SERVER_COMMAND, place.config));
      }
      daemon.authorize(...lines);
      whereabouts = (role) => {
        // The host key is known under the port of sshd itself.
        const words = [...daemon.options(role), '-o', `HostKeyAlias=[127.0.0.1]:${target}`];
        const address = daemon.address.replace(/:\d+$/, `:${proxy.port}`);
        return { address, variables: { CAIRN_SSH_OPTIONS: words.join(' '), CAIRN_SSH_CONNECTIONS: bound } };
      };
    }
    proxy = await TcpProxy.start(target);
    const admin = await open('maintain');
    keys = await makeRepository(admin);
    await admin[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    proxy = await TcpProxy.start(target);
  });
  afterEach(async () => await proxy[Symbol.asyncDispose]());
  afterAll(async () => {
    await sshd?.[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  async function open(role: Role): Promise<ObjectStore> {
    const { address, variables } = whereabouts(role);
    return await openStore(address, { variables, retryForMs: RETRY_MS });
  }

  /** Backs up new files and restores them, each over connections with such accidents; gives what differs. */
  async function roundTrip(accidents: readonly Accident[], files = 4, bytes = 300_000): Promise<string[]> {
    rounds += 1;
    const source = join(directory, `source-${rounds}`);
    writeFiles(source, files, bytes);
    proxy.accidents.push(...accidents);
    const writer = await open('append');
    const { id } = await backUp(writer, keys, source, `series-${rounds}`);
    await writer[Symbol.asyncDispose]();
    proxy.accidents.splice(0, Infinity, ...accidents);
    const reader = await open('read');
    const differences = await restoreDifferences(reader, keys, id, source, join(directory, 'restored'));
    await reader[Symbol.asyncDispose]();
    return differences;
  }

  it.each(['cut', 'reset'] as const)('that is %s in the middle of requests loses and changes nothing', async (kind) => {
    const at = [100, 5_000, 60_000, 400_000, 900_000];
    const accidents = at.map((afterBytes) => ({ kind, afterBytes }));
    expect(await roundTrip(accidents)).toEqual([]);
    expect(proxy.happened).toBeGreaterThanOrEqual(accidents.length);
  });

  it('that stalls for some seconds only takes longer', async () => {
    const start = performance.now();
    const stall: Accident = { kind: 'stall', afterBytes: 200_000, stallMs: 3_000 };
    expect(await roundTrip([stall])).toEqual([]);
    expect(proxy.happened).toBe(2);
    expect(performance.now() - start).toBeGreaterThan(6_000);
  });

  it('that is long costs no way there and back for each object', async () => {
    proxy.delayMs = 50;
    const start = performance.now();
    expect(await roundTrip([], 40, 100_000)).toEqual([]);
    // Both together make some 30 round trips, the handshakes of ssh included; 40 files one by one would take 8 s each time.
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  /** More than twice `FAR_STORE.bytes`, which the writer moves and the reader once more. */
  const much = [6, 3 * 1024 * 1024] as const;
  const sound: Accident = { kind: 'cut', afterBytes: Infinity };
  const refused: Accident = { kind: 'cut', afterBytes: 1 };
  const overSsh: readonly Way[] = [
    { name: 'short takes one connection for much data', delayMs: 0, files: much, least: 2, most: 2 },
    { name: 'long takes one connection for little data', delayMs: 15, files: [4, 300_000], least: 2, most: 2 },
    { name: 'long takes several connections for much data', delayMs: 15, files: much, least: 4, most: 8 },
    { name: 'long takes one connection when told so', delayMs: 15, files: much, bound: '1', least: 2, most: 2 },
    {
      name: 'long makes do with one',
      delayMs: 15,
      files: much,
      accidents: [sound, refused, refused, refused],
      least: 4,
      most: 8,
    },
  ];
  // The window of one connection is wide enough there.
  const overHttps: readonly Way[] = [
    { name: 'long takes one connection', delayMs: 15, files: much, least: 2, most: 2 },
  ];
  // On a machine with much to do, this one's own way can look long.
  it.each(carrier === 'ssh' ? overSsh : overHttps)('that is $name', { retry: 3 }, async (way) => {
    const { delayMs, files, accidents = [], least, most } = way;
    ({ bound } = way);
    const before = proxy.connections;
    proxy.delayMs = delayMs;
    expect(await roundTrip(accidents, ...files)).toEqual([]);
    expect(proxy.connections - before).toBeGreaterThanOrEqual(least);
    expect(proxy.connections - before).toBeLessThanOrEqual(most);
  });

  it('that is long keeps no program from ending well while connections are opened', async () => {
    proxy.delayMs = 200;
    // More than `FAR_STORE.bytes`, so that another connection is on its way when the store is closed.
    const program = `
      import { openStore } from '@cairn/core';
      import { createHash, randomBytes } from 'node:crypto';
      const { address, variables } = JSON.parse(process.env.WHEREABOUTS);
      const store = await openStore(address, { variables });
      for (let i = 0; i < 2; i++) {
        const pack = randomBytes(5_000_000);
        await store.put({ kind: 'packs', name: createHash('sha256').update(pack).digest('hex') }, pack);
      }
      await store[Symbol.asyncDispose]();
      console.log('closed');`;
    const env = { ...process.env, WHEREABOUTS: JSON.stringify(whereabouts('append')) };
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env, cwd: import.meta.dirname });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    const [status] = await once(child, 'close');
    expect([status, text]).toEqual([0, 'closed\n']);
  });

  it('that is long, stalls and is cut is survived, too', async () => {
    proxy.delayMs = 25;
    const accidents: Accident[] = [
      { kind: 'cut', afterBytes: 30_000 },
      { kind: 'stall', afterBytes: 100_000, stallMs: 1_000 },
    ];
    expect(await roundTrip(accidents)).toEqual([]);
  });
});
