import type { FileHandle } from 'node:fs/promises';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemEnvironment } from '../host/environment.ts';
import type { ObjectKey } from '../ids.ts';
import { DirectoryStore } from './directory.ts';

/**
 * The order of system calls is what makes a put survive a power cut, and no result shows it. So the calls are recorded,
 * and each of them is made to fail in turn.
 */
interface Disk {
  readonly calls: string[];
  /** Runs before a call, and may throw in its place. */
  fault: (call: string) => void;
  /** Runs after a call succeeded, and may lose its answer. */
  lose: (call: string) => void;
  name: (path: string) => string;
}

type Write = (
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesWritten: number; buffer: Uint8Array }>;

const disk = vi.hoisted((): Disk => ({
  calls: [],
  fault: () => undefined,
  lose: () => undefined,
  name: (path) => path,
}));

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const recorded = async <T>(call: string, run: () => Promise<T>): Promise<T> => {
    disk.calls.push(call);
    disk.fault(call);
    const result = await run();
    disk.lose(call);
    return result;
  };
  return {
    ...real,
    link: (from: string, to: string) => recorded(`link ${disk.name(from)} ${disk.name(to)}`, () => real.link(from, to)),
    unlink: (path: string) => recorded(`unlink ${disk.name(path)}`, () => real.unlink(path)),
    mkdir: (path: string, options: object) => recorded(`mkdir ${disk.name(path)}`, () => real.mkdir(path, options)),
    async open(path: string, flags: number, mode?: number): Promise<FileHandle> {
      const file = await real.open(path, flags, mode);
      const { sync, close } = file;
      const write: Write = file.write;
      file.sync = () => recorded(`fsync ${disk.name(path)}`, () => sync.call(file));
      file.close = async () => {
        // Linux closes a descriptor even when it reports a failure (close(2)); one that stays open would end Node 26.
        const closing = close.call(file);
        await recorded(`close ${disk.name(path)}`, () => closing);
      };
      // Only the form with a position is in use; at most 6 bytes are taken, so that short writes are met.
      const shortWrite: Write = (bytes, offset, length, position) =>
        recorded(`write ${disk.name(path)}`, () => write.call(file, bytes, offset, Math.min(6, length), position));
      return Object.assign(file, { write: shortWrite });
    },
  };
});

const { random } = systemEnvironment;
const NAME = `ab${'0'.repeat(62)}`;
const PACK: ObjectKey = { kind: 'packs', name: NAME };
const LOG: ObjectKey = { kind: 'log', name: '0000000000000001' };
const BODY = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9]);

let base: string;
let store: DirectoryStore;

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'cairn-durability-'));
  disk.name = (path) => relative(base, path).replace(/(?<=tmp\/)[0-9a-f]{32}$/, 'X');
  store = await DirectoryStore.create(join(base, 'r'), random);
});

afterEach(() => {
  quiet();
  rmSync(base, { recursive: true, force: true });
});

function quiet(): void {
  disk.fault = () => undefined;
  disk.lose = () => undefined;
  disk.calls.length = 0;
}

/** What the disk was asked to do meanwhile, reading left out. */
async function calls(run: () => Promise<unknown>): Promise<string[]> {
  disk.calls.length = 0;
  await run();
  return disk.calls.filter((call) => !call.startsWith('close'));
}

function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: made up, ${syscall}`), { code, syscall, errno: -1 });
}

function failAt(call: string, code: string): void {
  disk.fault = (now) => {
    if (now === call) throw systemError(code, call.split(' ')[0] ?? '');
  };
}

const temps = () => readdirSync(join(base, 'r/tmp'));

describe('the order of calls', () => {
  it('makes a repository durable up to the folder it is in', async () => {
    const made = await calls(() => DirectoryStore.create(join(base, 'new'), random));
    expect(made.slice(-2)).toEqual(['fsync new', 'fsync ']);
    expect(made.filter((call) => call.startsWith('mkdir'))).toHaveLength(6);
  });

  it('writes, fsyncs, links, fsyncs the folder, and then tidies up', async () => {
    expect(await calls(() => store.put(LOG, BODY))).toEqual([
      'write r/tmp/X',
      'write r/tmp/X',
      'fsync r/tmp/X',
      'fsync r/index',
      `link r/tmp/X r/log/${LOG.name}`,
      'fsync r/log',
      'unlink r/tmp/X',
    ]);
    expect(await store.get(LOG)).toEqual(BODY);
  });

  it('makes the index segments that were read durable before a log entry that may rely on them', async () => {
    const segment = { kind: 'index', name: NAME } as const;
    await store.put(segment, BODY);
    await store.put(LOG, BODY);
    const next = (seq: string) => calls(() => store.put({ kind: 'log', name: seq.padStart(16, '0') }, BODY));
    expect(await next('a')).not.toContain('fsync r/index');
    await store.get(segment);
    expect(await next('b')).toContain('fsync r/index');
    expect(await next('c')).not.toContain('fsync r/index');
  });

  it('makes the folder of a pack durable before the first pack in it, once', async () => {
    const first = await calls(() => store.put(PACK, BODY));
    expect(first.slice(0, 2)).toEqual(['mkdir r/packs/ab', 'fsync r/packs']);
    expect(first.slice(-3)).toEqual([`link r/tmp/X r/packs/ab/${NAME}`, 'fsync r/packs/ab', 'unlink r/tmp/X']);
    const second = await calls(() => store.put({ kind: 'packs', name: `ab${'1'.repeat(62)}` }, BODY));
    expect(second[0]).toBe('write r/tmp/X');
    const other = await DirectoryStore.open(join(base, 'r'), random);
    const third = await calls(() => other.put({ kind: 'packs', name: `ab${'2'.repeat(62)}` }, BODY));
    expect(third.slice(0, 2)).toEqual(['mkdir r/packs/ab', 'fsync r/packs']);
  });

  it('reports OBJECT_EXISTS when what exists is durable', async () => {
    await store.put(PACK, BODY);
    const again = await calls(() => expect(store.put(PACK, BODY)).rejects.toMatchObject({ code: 'OBJECT_EXISTS' }));
    expect(again.slice(-3)).toEqual([`link r/tmp/X r/packs/ab/${NAME}`, 'fsync r/packs/ab', 'unlink r/tmp/X']);
  });

  it('makes a deletion durable, and before it the log entries that were read', async () => {
    await store.put(PACK, BODY);
    await store.put(LOG, BODY);
    const deletion = [`unlink r/packs/ab/${NAME}`, 'fsync r/packs/ab'];
    expect(await calls(() => store.delete(PACK))).toEqual(['fsync r/log', ...deletion]);
    expect(await calls(() => store.delete(PACK))).toEqual(deletion);
    await store.get(LOG);
    expect(await calls(() => store.delete(PACK))).toEqual(['fsync r/log', ...deletion]);
  });

  it('does not delete when the log cannot be made durable', async () => {
    await store.put(PACK, BODY);
    failAt('fsync r/log', 'EIO');
    await expect(store.delete(PACK)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    quiet();
    expect(await store.get(PACK)).toEqual(BODY);
    await expect(store.delete(PACK)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });
});

describe('a failing disk', () => {
  const link = `link r/tmp/X r/packs/ab/${NAME}`;

  it.each([
    ['mkdir r/packs/ab', 'ENOSPC', 'STORE_FULL'],
    ['fsync r/packs', 'EIO', 'STORE_FAILED'],
    ['write r/tmp/X', 'ENOSPC', 'STORE_FULL'],
    ['write r/tmp/X', 'EDQUOT', 'STORE_FULL'],
    ['write r/tmp/X', 'EIO', 'STORE_FAILED'],
    ['fsync r/tmp/X', 'EIO', 'STORE_FAILED'],
    ['fsync r/tmp/X', 'ENOSPC', 'STORE_FULL'],
    ['close r/tmp/X', 'EDQUOT', 'STORE_FULL'],
    [link, 'ENOSPC', 'STORE_FULL'],
    [link, 'EACCES', 'STORE_DENIED'],
    [link, 'EROFS', 'STORE_DENIED'],
    [link, 'ESTALE', 'STORE_FAILED'],
  ])('leaves nothing when %s gives %s', async (call, code, expected) => {
    failAt(call, code);
    await expect(store.put(PACK, BODY)).rejects.toMatchObject({
      code: expected,
      message: expect.stringContaining(NAME),
      cause: { code },
    });
    quiet();
    expect(temps()).toEqual([]);
    await expect(store.get(PACK)).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
  });

  it.each(['EPERM', 'ENOTSUP', 'ENOSYS'])('names the lack of hard links (%s)', async (code) => {
    failAt(link, code);
    await expect(store.put(PACK, BODY)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('hard links'),
      hint: expect.stringContaining('server'),
    });
    expect(temps()).toEqual([]);
  });

  it('does not call a put done whose name may not be durable', async () => {
    failAt('fsync r/packs/ab', 'EIO');
    await expect(store.put(PACK, BODY)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(temps()).toEqual([]);
  });

  it('can go on after the disk was full, but not after a fsync of the folder of packs failed', async () => {
    failAt('mkdir r/packs/ab', 'ENOSPC');
    await expect(store.put(PACK, BODY)).rejects.toMatchObject({ code: 'STORE_FULL' });
    failAt('fsync r/packs', 'EIO');
    await expect(store.put(PACK, BODY)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    quiet();
    await expect(store.put(PACK, BODY)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    await (await DirectoryStore.open(join(base, 'r'), random)).put(PACK, BODY);
  });

  it('keeps the first error when tidying up fails too', async () => {
    disk.fault = (call) => {
      if (call.startsWith('write')) throw systemError('ENOSPC', 'write');
      if (call.startsWith('unlink') || call.startsWith('close')) throw systemError('EIO', 'unlink');
    };
    await expect(store.put(LOG, BODY)).rejects.toMatchObject({ code: 'STORE_FULL', cause: { code: 'ENOSPC' } });
  });

  it('has stored an object although the temporary file stays', async () => {
    failAt('unlink r/tmp/X', 'EIO');
    await store.put(LOG, BODY);
    expect(temps()).toHaveLength(1);
    expect(await store.get(LOG)).toEqual(BODY);
  });

  it('knows its own link when the reply to it got lost', async () => {
    disk.lose = (call) => {
      if (call === link) throw systemError('EEXIST', 'link');
    };
    const done = await calls(() => store.put(PACK, BODY));
    expect(done.slice(-2)).toEqual(['fsync r/packs/ab', 'unlink r/tmp/X']);
    expect(await store.get(PACK)).toEqual(BODY);
  });

  it('leaves nothing when the signal fires while the file is written', async () => {
    const controller = new AbortController();
    disk.fault = (call) => {
      if (call.startsWith('fsync r/tmp')) controller.abort();
    };
    await expect(store.put(LOG, BODY, { signal: controller.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(temps()).toEqual([]);
    expect(readdirSync(join(base, 'r/log'))).toEqual([]);
  });
});
