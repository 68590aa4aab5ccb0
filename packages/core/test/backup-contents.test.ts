import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  DirectoryStore,
  fromUtf8,
  isCairnError,
  type BackupRequest,
  type ContentSource,
  type Repository,
} from '../dist/index.js';
import { FaultyStore } from '../dist/testing/faulty-store.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { HookedStore } from './support/hooked-store.js';
import { BackupScratch, contentIds, contentOf, SMALL_CHUNKS } from './support/scratch.js';

const MiB = 1024 * 1024;

let scratch: BackupScratch;
let repository: Repository;

beforeEach(async () => {
  scratch = await BackupScratch.create(SMALL_CHUNKS);
  repository = await scratch.open();
});
afterEach(() => scratch[Symbol.dispose]());

/** The bytes in pieces of those lengths, in turn. */
async function* pieces(bytes: Uint8Array, lengths: readonly number[] = [65_536]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? 1;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

function content(path: string, bytes: Uint8Array | string, more: Partial<ContentSource> = {}): ContentSource {
  return { path, open: () => pieces(Buffer.from(bytes)), ...more };
}

async function* failing(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield* pieces(bytes);
  throw new Error('the dump broke off');
}

async function backup(request: Omit<BackupRequest, 'paths'> & { readonly paths?: readonly string[] }, threads = 0) {
  return await repository.backup({ paths: [], threads, ...request });
}

describe('a content', () => {
  it.each([0, 2])('is cut and stored like a file of the same bytes (%i threads)', async (threads) => {
    const bytes = pseudoRandomBytes('content', 3 * MiB);
    writeFileSync(scratch.in('file'), bytes);
    const { archive } = await backup({ paths: [scratch.source], contents: [content('/stream', bytes)] }, threads);
    expect(await contentIds(repository, archive, '/stream')).toBe(
      await contentIds(repository, archive, scratch.in('file')),
    );
    expect((await contentOf(repository, archive, '/stream')).equals(bytes)).toBe(true);
    expect(archive.descriptor.stats).toMatchObject({ files: 2, bytes: 2 * bytes.length });
  });

  it('does not depend on how its bytes come', async () => {
    const bytes = pseudoRandomBytes('pieces', 300_000);
    const { archive } = await backup({ contents: [content('/whole', bytes)] });
    const whole = await contentIds(repository, archive, '/whole');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 9 }),
        async (lengths) => {
          const parts = { path: '/parts', open: () => pieces(bytes, lengths) };
          const again = await backup({ contents: [parts, content('/empty', '')] });
          expect(await contentIds(repository, again.archive, '/parts')).toBe(whole);
          expect(await contentOf(repository, again.archive, '/empty')).toHaveLength(0);
        },
      ),
      { numRuns: 15 },
    );
  });

  it('stands beside what the sources have, in directories that are there or made for it', async () => {
    mkdirSync(scratch.in('real'));
    writeFileSync(scratch.in('real', 'a'), 'a');
    writeFileSync(scratch.in('real', 'replaced'), 'of the source');
    symlinkSync('/etc', scratch.in('link'));
    const { source } = scratch;
    const report = await backup({
      paths: [source],
      contents: [
        content(`${source}/real/b`, 'beside a'),
        content(`${source}/real/replaced`, 'of the content'),
        content(`${source}/made/up/c`, 'in a directory of its own', { mode: 0o640, mtimeNs: 5n, uid: 7, gid: 8 }),
        content(`${source}/link/d`, 'where a link was'),
        content('/dumps/e', 'elsewhere'),
      ],
    });
    const view = await repository.view(report.archive);
    const names: string[] = [];
    for await (const { path } of view.walk(source)) names.push(path.slice(source.length));
    expect(names).toEqual([
      '',
      '/link',
      '/link/d',
      '/made',
      '/made/up',
      '/made/up/c',
      '/real',
      '/real/a',
      '/real/b',
      '/real/replaced',
    ]);
    const text = async (path: string) => (await contentOf(repository, report.archive, path)).toString();
    expect(await text(scratch.in('real', 'replaced'))).toBe('of the content');
    expect(await text(scratch.in('link', 'd'))).toBe('where a link was');
    expect(await text('/dumps/e')).toBe('elsewhere');
    expect(await view.entry(`${source}/made/up/c`)).toMatchObject({ mode: 0o640, mtimeNs: 5n, uid: 7, gid: 8 });
    expect(await view.entry(`${source}/made`)).toMatchObject({ mode: 0o755, kind: 2 });
    expect([...report.problemCounts]).toEqual([['unsupported', 1]]);
    expect((await repository.check({ data: true, threads: 0 })).findings).toEqual([]);
  });

  it('is stored although what would hold it is left out or cannot be read', async () => {
    mkdirSync(scratch.in('excluded'));
    const report = await backup({
      paths: [scratch.source],
      select: { excludes: ['excluded'] },
      contents: [content(scratch.in('excluded', 'x'), 'x')],
    });
    expect((await contentOf(repository, report.archive, scratch.in('excluded', 'x'))).toString()).toBe('x');
  });

  it('that fails leaves nothing of itself, and the rest is stored', async () => {
    writeFileSync(scratch.in('file'), 'file');
    const bytes = pseudoRandomBytes('failing', MiB);
    const report = await backup({
      paths: [scratch.source],
      contents: [{ path: '/bad', open: () => failing(bytes) }, content('/good', 'good')],
    });
    expect(report.archive.descriptor.complete).toBe(false);
    expect(report.problems).toEqual([
      { kind: 'content', path: '/bad', message: '/bad: nothing of it is stored: the dump broke off' },
    ]);
    const view = await repository.view(report.archive);
    expect(await view.entryIfAny('/bad')).toBeUndefined();
    expect((await contentOf(repository, report.archive, '/good')).toString()).toBe('good');
    expect(report.archive.descriptor.stats).toMatchObject({ files: 2, bytes: 8 });
  });

  it('that is the only one and fails makes no archive', async () => {
    const run = backup({ contents: [{ path: '/bad', open: () => failing(Buffer.from('x')) }] });
    await expect(run).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining('broke off'),
    });
    const thrown = backup({
      contents: [
        {
          path: '/bad',
          open() {
            throw new Error('not even opened');
          },
        },
      ],
    });
    await expect(thrown).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
    expect(repository.archives()).toEqual([]);
  });

  it('is not opened by a dry run', async () => {
    let opened = 0;
    const open = () => {
      opened += 1;
      return pieces(Buffer.from('x'));
    };
    const report = await backup({ contents: [{ path: '/x', open }], dryRun: true });
    expect(opened).toBe(0);
    expect(report.progress.files).toBe(1);
  });

  it('must have a path of its own', async () => {
    const wrong = ['relative', '/', '/a/../b', '/a//b', '/a/', `/${'x'.repeat(256)}`, ''];
    for (const path of wrong)
      await expect(backup({ contents: [content(path, 'x')] })).rejects.toMatchObject({ code: 'USAGE' });
    for (const pair of [
      ['/a', '/a'],
      ['/a', '/a/b'],
      ['/a/b', '/a'],
    ]) {
      await expect(backup({ contents: pair.map((path) => content(path, 'x')) })).rejects.toMatchObject({
        code: 'USAGE',
      });
    }
  });

  it('waits for a store that is slower than it', async () => {
    let letGo: () => void = () => undefined;
    let given = 0;
    const blocked = new Promise<void>((resolve) => (letGo = resolve));
    const ahead: number[] = [];
    const beforePut = async (): Promise<void> => {
      await blocked;
      ahead.push(given);
    };
    using large = await BackupScratch.create();
    const store = new HookedStore(await DirectoryStore.open(large.storePath), { beforePut });
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 200; i++) {
        given += MiB;
        yield randomBytes(MiB);
        // The store answers when what may be in memory is, at the latest.
        if (given === 130 * MiB) letGo();
      }
    }
    setTimeout(letGo, 4_000);
    const slow = await large.open({ store });
    const report = await slow.backup({ paths: [], threads: 2, contents: [{ path: '/x', open: endless }] });
    expect(report.archive.descriptor.stats.bytes).toBe(200 * MiB);
    // Two packs for each thread and for this one, the jobs under way, and the window.
    expect(ahead[0]).toBeLessThan(130 * MiB);
  });

  it('is stopped with the run, also when it says nothing', async () => {
    const stop = new AbortController();
    let aborted = false;
    async function* silent(signal: AbortSignal): AsyncGenerator<Uint8Array> {
      signal.addEventListener('abort', () => (aborted = true));
      stop.abort();
      await new Promise(() => undefined);
      yield Buffer.alloc(1);
    }
    const run = repository.backup(
      { paths: [], contents: [{ path: '/x', open: silent }], threads: 0 },
      { signal: stop.signal },
    );
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(aborted).toBe(true);
  });
});

describe('a store that fails one call', () => {
  it.each(['before', 'after'] as const)('never leaves half a content in an archive (%s it was done)', async (when) => {
    const bytes = pseudoRandomBytes('faulty', 30_000);
    writeFileSync(scratch.in('file'), 'file');
    cpSync(scratch.storePath, scratch.path('base'), { recursive: true, preserveTimestamps: true });
    const contents = [content('/dump', bytes), { path: '/bad', open: () => failing(pseudoRandomBytes('bad', 30_000)) }];
    let failed = 0;
    for (let at = 1; ; at++) {
      rmSync(scratch.storePath, { recursive: true });
      cpSync(scratch.path('base'), scratch.storePath, { recursive: true, preserveTimestamps: true });
      const store = new FaultyStore(await DirectoryStore.open(scratch.storePath), [{ at, when }]);
      let error: unknown;
      try {
        repository = await scratch.open({ store });
        await backup({ paths: [scratch.source], contents });
      } catch (reason) {
        error = reason;
      }
      if (error === undefined && store.operations < at) break;
      if (error !== undefined) expect(isCairnError(error, 'STORE_FAILED')).toBe(true);
      failed += 1;
      const after = await scratch.open();
      const check = await after.check({ threads: 0 });
      expect(check.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
      for (const archive of after.archives()) {
        expect((await contentOf(after, archive, '/dump')).equals(bytes)).toBe(true);
        expect(await (await after.view(archive)).entryIfAny(fromUtf8('/bad'))).toBeUndefined();
      }
    }
    expect(failed).toBeGreaterThan(5);
  });
});
