import { openHttpStore, type ObjectStore } from '@cairn/core';
import { logName } from '@cairn/core/server';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
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
      repository: 'reserve = "4 MB"',
      floors: 'grace = "0s"\nkept-archives = 0',
    });
    forger = await Forger.create(path);
    await forger.populate();
    const { address } = await place.start();
    admin = openHttpStore({ address, token: await place.token('admin', 'maintain') });
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

  const append = async (kind: 'CHECK' | 'COMMIT'): Promise<void> => {
    const { seq, object } = await forger.next(kind);
    await admin.put({ kind: 'log', name: logName(seq) }, object);
  };

  it('is full keeps what it has, and still lets packs be swept', async ({ skip }) => {
    skip(unavailable !== undefined, unavailable);
    const names = await fill();
    // Somebody else takes even what the server left free.
    const hog = join(mountPoint, 'hog');
    try {
      writeFileSync(hog, Buffer.alloc(64_000_000));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
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
    expect((await client.get({ kind: 'log', name: logName(1) })).length).toBeGreaterThan(80);
    execFileSync('mount', ['-o', 'remount,rw', mountPoint]);
    await client.put(key, body);
    await append('CHECK');
  });
});
