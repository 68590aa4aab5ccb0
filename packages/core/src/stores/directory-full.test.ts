import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemEnvironment } from '../host/environment.ts';
import { listAll } from '../testing/object-store-scratch.ts';
import { DirectoryStore } from './directory.ts';

const { random } = systemEnvironment;
let mountPoint: string;
/** Why no small file system could be mounted here; it takes root, and a container may forbid it. */
let refused: string | undefined;

beforeAll(() => {
  mountPoint = mkdtempSync(join(tmpdir(), 'cairn-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'cairn-test', mountPoint], { stdio: 'pipe' });
  } catch (error) {
    refused = `cannot mount a tmpfs: ${String(error)}`;
  }
});

afterAll(() => {
  if (refused === undefined) execFileSync('umount', [mountPoint]);
  rmSync(mountPoint, { recursive: true, force: true });
});

const key = (digit: string) => ({ kind: 'keys', name: digit.repeat(32) }) as const;

describe('a small file system', () => {
  it('is full, keeps what it has, and takes more once there is space', async ({ skip }) => {
    skip(refused !== undefined, refused);
    const root = join(mountPoint, 'full');
    const store = await DirectoryStore.create(root, random);
    const [first, second] = [random.bytes(600_000), random.bytes(600_000)];
    await store.put(key('1'), first);
    await expect(store.put(key('2'), second)).rejects.toMatchObject({ code: 'STORE_FULL', cause: { code: 'ENOSPC' } });
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
    expect((await listAll(store, 'keys')).map((info) => info.name)).toEqual([key('1').name]);
    expect(Buffer.compare(await store.get(key('1')), first)).toBe(0);
    await store.delete(key('1'));
    await store.put(key('2'), second);
    expect(Buffer.compare(await store.get(key('2')), second)).toBe(0);
    rmSync(root, { recursive: true });
  });

  it('is read-only: reading works, and the rest is denied', async ({ skip }) => {
    skip(refused !== undefined, refused);
    const root = join(mountPoint, 'read-only');
    const body = random.bytes(1_000);
    await (await DirectoryStore.create(root, random)).put(key('1'), body);
    execFileSync('mount', ['-o', 'remount,ro', mountPoint]);
    const store = await DirectoryStore.open(root, random);
    expect(await store.get(key('1'))).toEqual(body);
    expect(await listAll(store, 'keys')).toHaveLength(1);
    const denied = { code: 'STORE_DENIED' };
    await expect(store.put(key('2'), body)).rejects.toMatchObject(denied);
    await expect(store.delete(key('1'))).rejects.toMatchObject(denied);
    await expect(DirectoryStore.create(join(mountPoint, 'new'), random)).rejects.toMatchObject(denied);
    execFileSync('mount', ['-o', 'remount,rw', mountPoint]);
  });
});
