import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { systemEnvironment } from '../host/environment.ts';
import { FETCHED_PACKS } from '../limits.ts';
import { systemTimer } from '../host/timer.ts';
import { DistantStore } from '../testing/distant-store.ts';
import { FetchedPackStore } from './fetched-packs.ts';
import { MemoryStore } from './memory.ts';

const PACK = randomBytes(1024 * 1024);
const PART = 1_000;

let cache: string;
let memory: MemoryStore;
let far: DistantStore;
let store: FetchedPackStore;

beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), 'cairn-fetched-'));
  memory = new MemoryStore(systemEnvironment.clock);
  far = new DistantStore(memory, { timer: systemTimer, delayMs: 0 });
  store = new FetchedPackStore(far, join(cache, 'packs'));
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  rmSync(cache, { recursive: true });
});

/** Puts a pack under the name that its bytes have, or another. */
async function putPack(
  object: Uint8Array = PACK,
  name = createHash('sha256').update(object).digest('hex'),
): Promise<string> {
  await memory.put({ kind: 'packs', name }, object);
  return name;
}

/** Asks for parts of it, and compares them. */
async function readParts(name: string, count: number, length = PART, object: Uint8Array = PACK): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const offset = (i * 7919) % (object.length - length);
    const part = await store.get({ kind: 'packs', name }, { range: { offset, length } });
    expect(Buffer.compare(part, object.subarray(offset, offset + length))).toBe(0);
  }
}

const gets = (): number => far.calls.filter((call) => call === 'get packs').length;
const fileOf = (name: string): string | undefined => store.localFile({ kind: 'packs', name });
const untilFetched = async (name: string): Promise<string> =>
  await vi.waitFor(() => {
    const file = fileOf(name);
    if (file === undefined) throw new Error('not fetched yet');
    return file;
  });

describe('a pack of a store that is far away', () => {
  it('becomes a file once many small parts of it were asked for, and is not asked for any more', async () => {
    const name = await putPack();
    await readParts(name, FETCHED_PACKS.parts - 1);
    expect(fileOf(name)).toBeUndefined();
    await readParts(name, 1);
    const file = await untilFetched(name);
    expect(readFileSync(file).equals(PACK)).toBe(true);
    const before = gets();
    await readParts(name, 50);
    expect(gets()).toBe(before);
  });

  it('is read part by part when these are large', async () => {
    const name = await putPack();
    await readParts(name, 2 * FETCHED_PACKS.parts, FETCHED_PACKS.partBytes + 1);
    expect(gets()).toBe(2 * FETCHED_PACKS.parts);
    expect(readdirSync(cache)).toEqual([]);
  });

  it('is not kept when it is not what its name says', async () => {
    const name = await putPack(PACK, 'ab'.repeat(32));
    await readParts(name, FETCHED_PACKS.parts);
    await vi.waitFor(() => expect(gets()).toBe(FETCHED_PACKS.parts + 1));
    await readParts(name, 3);
    expect(fileOf(name)).toBeUndefined();
  });

  it('is asked of the store again when the file has lost something', async () => {
    const name = await putPack();
    await readParts(name, FETCHED_PACKS.parts);
    truncateSync(await untilFetched(name), 10);
    await readParts(name, 5);
  });

  it('that is gone is told of by whoever needs it, and nobody else', async () => {
    const name = await putPack();
    await readParts(name, FETCHED_PACKS.parts - 1);
    await memory.delete({ kind: 'packs', name });
    await expect(readParts(name, 1)).rejects.toThrow(expect.objectContaining({ code: 'OBJECT_MISSING' }));
    expect(fileOf(name)).toBeUndefined();
  });

  it('is read from the store where no file can be kept', async () => {
    const [first, second] = [await putPack(), await putPack(randomBytes(100_000))];
    rmSync(cache, { recursive: true });
    writeFileSync(cache, 'in the way');
    await readParts(first, 3 * FETCHED_PACKS.parts);
    expect(fileOf(first)).toBeUndefined();
    expect(fileOf(second)).toBeUndefined();
    // One was fetched in vain, and no other.
    await vi.waitFor(() => expect(gets()).toBe(3 * FETCHED_PACKS.parts + 1));
  });
});

describe('the files', () => {
  it('are private, and gone when the store is closed', async () => {
    const name = await putPack();
    await readParts(name, FETCHED_PACKS.parts);
    const file = await untilFetched(name);
    await store[Symbol.asyncDispose]();
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(cache)).toEqual([]);
    store = new FetchedPackStore(far, join(cache, 'packs'));
  });

  it('are the ones that were used last', async () => {
    const each = FETCHED_PACKS.bytes / 8;
    const packs: { name: string; object: Uint8Array }[] = [];
    for (let i = 0; i < 9; i += 1) {
      const object = Buffer.alloc(each, i);
      packs.push({ name: await putPack(object), object });
    }
    for (const { name, object } of packs) {
      await readParts(name, FETCHED_PACKS.parts, PART, object);
      await untilFetched(name);
      // The first is used all the time.
      fileOf(packs[0]?.name ?? '');
    }
    expect(packs.map(({ name }) => fileOf(name) !== undefined)).toEqual([true, false, ...Array(7).fill(true)]);
  });
});
