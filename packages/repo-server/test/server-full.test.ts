import { openHttpStore, type ObjectStore } from '@cairn/core';
import { logName } from '@cairn/core/server';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';

const NONE: readonly string[] = [];

describe('a server whose disk', () => {
  let mountPoint: string;
  /** Why no small file system could be mounted here; it takes root, and a container may forbid it. */
  let unavailable: string | undefined;
  let place: ServerPlace;
  let forger: Forger;
  let admin: ObjectStore;
  let adminToken: string;
  let address: string;
  let client: ObjectStore;

  beforeEach(async () => {
    mountPoint = mkdtempSync(join(tmpdir(), 'cairn-full-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'cairn-test', mountPoint], { stdio: 'pipe' });
      unavailable = undefined;
    } catch (error) {
      unavailable = `cannot mount a tmpfs: ${String(error)}`;
    }
    const path = join(mountPoint, 'main');
    place = await ServerPlace.create({
      path,
      state: join(mountPoint, 'state'),
      repository: 'reserve = "4 MB"',
      floors: 'grace = "0s"\nkept-archives = 0',
    });
    forger = await Forger.create(path);
    await forger.populate();
    ({ address } = await place.start());
    adminToken = await place.token('admin', 'maintain');
    admin = openHttpStore({ address, token: adminToken });
    client = openHttpStore({ address, token: await place.token('client', 'append') });
  });
  afterEach(async () => {
    for (const store of [admin, client]) await store[Symbol.asyncDispose]();
    if (unavailable === undefined) {
      execFileSync('mount', ['-o', 'remount,rw', mountPoint]);
      await place[Symbol.asyncDispose]();
      execFileSync('umount', [mountPoint]);
    }
    rmSync(mountPoint, { recursive: true, force: true });
  });

  /** Puts packs until there is no room; gives their names. */
  async function fill(): Promise<string[]> {
    const names: string[] = [];
    for (;;) {
      const { key, body } = forger.object('packs');
      const large = Buffer.concat([body, Buffer.alloc(2_000_000)]);
      const name = createHash('sha256').update(large).digest('hex');
      try {
        await client.put({ kind: key.kind, name }, large);
      } catch (error) {
        expect(error).toMatchObject({ code: 'STORE_FULL' });
        return names;
      }
      names.push(name);
    }
  }

  const health = async (): Promise<number | undefined> => {
    const [answer] = (await once(request(`${address}/healthz`, { agent: false }).end(), 'response')) as [
      IncomingMessage,
    ];
    answer.resume();
    return answer.statusCode;
  };
  const append = async (kind: 'CHECK' | 'COMMIT'): Promise<void> => {
    const { seq, object } = await forger.next(kind);
    await admin.put({ kind: 'log', name: logName(seq) }, object);
  };

  /** Puts log entries, large ones first, until there is no room for the smallest. */
  async function fillLog(): Promise<void> {
    for (const count of [100_000, 10_000, 1_000, 0]) {
      const packs = Array.from({ length: count }, () => randomBytes(32).toString('hex'));
      for (let full: unknown; full === undefined;) {
        const { seq, object } = await forger.entry({ kind: 'RESCUE', packs, segments: NONE });
        full = await client.put({ kind: 'log', name: logName(seq) }, object).catch((error: unknown) => error);
        if (full !== undefined) expect(full).toMatchObject({ code: 'STORE_FULL' });
      }
    }
  }

  it('is full keeps what it has, and still lets packs be swept, by a server that begins just then', async ({
    skip,
  }) => {
    skip(unavailable !== undefined, unavailable);
    const names = await fill();
    // Whoever may only append wants nothing to be left for those who can give space back.
    await fillLog();
    // Somebody else takes even what the server left free.
    const hog = join(mountPoint, 'hog');
    try {
      writeFileSync(hog, Buffer.alloc(64_000_000));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
    await admin[Symbol.asyncDispose]();
    admin = openHttpStore({ address: (await place.start()).address, token: adminToken });
    for (const decision of [
      { kind: 'CONDEMN', dropped: NONE, packs: names.slice(0, 5), segments: NONE },
      { kind: 'SWEEP', packs: names.slice(0, 5), segments: NONE },
    ] as const) {
      const { seq, object } = await forger.entry(decision);
      await admin.put({ kind: 'log', name: logName(seq) }, object);
    }
    for (const name of names.slice(0, 5)) await admin.delete({ kind: 'packs', name });
    unlinkSync(hog);
    const { key, body } = forger.object('packs');
    await client.put(key, body);
    for (const name of names.slice(5)) expect((await admin.get({ kind: 'packs', name })).length).toBe(2_000_500);
  });

  it('is read-only says so, and serves what it has; once it is writable it goes on without a hand', async ({
    skip,
  }) => {
    skip(unavailable !== undefined, unavailable);
    execFileSync('mount', ['-o', 'remount,ro', mountPoint]);
    const { key, body } = forger.object('packs');
    await expect(client.put(key, body)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    await expect(append('CHECK')).rejects.toMatchObject({ code: 'STORE_DENIED' });
    expect(await health()).toBe(500);
    // One that begins now serves, too.
    const { address: other } = await place.start();
    const late = openHttpStore({ address: other, token: adminToken });
    expect((await late.get({ kind: 'log', name: logName(1) })).length).toBeGreaterThan(80);
    await late[Symbol.asyncDispose]();
    expect((await client.get({ kind: 'log', name: logName(1) })).length).toBeGreaterThan(80);
    execFileSync('mount', ['-o', 'remount,rw', mountPoint]);
    await client.put(key, body);
    await append('CHECK');
    expect(await health()).toBe(200);
  });
});
