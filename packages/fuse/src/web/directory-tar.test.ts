import { Repository, type ByteString, type ObjectStore } from '@cairn/core';
import { compareTrees, makeHardTree } from '@cairn/core/testing';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ask as askAt, type Answer, type Asked } from '../../test/support/ask.ts';
import { Shelf } from '../../test/support/shelf.ts';
import type { ArchiveFileSystem } from '../filesystem/file-system.ts';
import { browse, type BrowseOptions, type Browsing } from './browse-server.ts';
import type { TarExporter } from './directory-tar.ts';

const LATIN = Buffer.from([0x63, 0x61, 0x66, 0xe9]);
const LARGE_BYTES = 64 * 1024 * 1024;
/** More than all buffers between two programs of one machine hold. */
const MOST_BUFFERED = 32 * 1024 * 1024;
const EVERYTHING = ['--xattrs', '--xattrs-include=*', '--acls', '--numeric-owner', '--same-permissions', '--sparse'];

const scratch = mkdtempSync(join(tmpdir(), 'cairn-tar-'));
const hard = join(scratch, 'hard');
let shelf: Shelf;
/** Path of the source in URLs. */
let base: string;

const bytesOf = (path: string): ByteString => Buffer.from(path).toString('latin1');

beforeAll(async () => {
  makeHardTree(bytesOf(hard), { small: true, entries: 30, depth: 30 });
  shelf = await Shelf.make((directory) => {
    execFileSync('cp', ['-a', hard, `${directory}/hard`]);
    mkdirSync(Buffer.concat([Buffer.from(`${directory}/`), LATIN]));
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), LATIN, Buffer.from('/'), LATIN]), 'latin');
    mkdirSync(`${directory}/large`);
    writeFileSync(`${directory}/large/one`, randomBytes(LARGE_BYTES));
    mkdirSync(`${directory}/few`);
    for (const name of ['a', 'b', 'c']) writeFileSync(`${directory}/few/${name}`, name.repeat(1000));
  });
  base = Buffer.from(shelf.repository.archive('latest').descriptor.paths[0] ?? new Uint8Array()).toString();
});

afterAll(async () => {
  await shelf[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true, force: true });
});

async function serve(fileSystem?: ArchiveFileSystem, more: Partial<BrowseOptions> = {}): Promise<Browsing> {
  return await browse({
    fileSystem: fileSystem ?? shelf.show({ archive: shelf.repository.archive('latest') }),
    host: '127.0.0.1',
    port: 0,
    hosts: ['127.0.0.1'],
    password: 'secret',
    onProblem: (text) => void shelf.problems.push(text),
    exporter: shelf.repository,
    ...more,
  });
}

async function askOne(path: string, asked?: Asked, more?: Partial<BrowseOptions>): Promise<Answer> {
  await using browsing = await serve(undefined, more);
  return await askAt(browsing.port, path, asked);
}

/** What GNU tar lists of a stream: names as they are, in the stream's order. */
function members(tar: Buffer): string[] {
  const listed = execFileSync('tar', ['-t', '--quoting-style=literal'], {
    input: tar,
    encoding: 'latin1',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  return listed.split('\n').slice(0, -1);
}

describe('a directory as tar', () => {
  it('is unpacked by GNU tar as the directory that was backed up', async () => {
    const { status, headers, body, complete } = await askOne(`${base}/hard/?tar`);
    expect([status, complete, headers['content-type']]).toEqual([200, true, 'application/x-tar']);
    expect(headers['content-disposition']).toBe("attachment; filename*=UTF-8''hard.tar");
    const target = join(scratch, 'unpacked');
    mkdirSync(target);
    execFileSync('tar', [...EVERYTHING, '-xf', '-', '-C', target], {
      input: body,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const isSocket = (path: ByteString): boolean => path.startsWith('nodes/socket');
    const options = { ignore: ['flags'] as const, ignorePath: isSocket, sparse: true };
    expect(compareTrees(bytesOf(hard), bytesOf(join(target, 'hard')), options)).toEqual([]);
    expect(shelf.problems).toEqual([]);
  });

  it('may have a name that is no UTF-8, in it too', async () => {
    const { status, headers, body } = await askOne(`${base}/caf%E9/?tar`);
    expect([status, members(body)]).toEqual([200, ['caf\xe9/', 'caf\xe9/caf\xe9']]);
    expect(headers['content-disposition']).toMatch(/^attachment; filename\*=UTF-8''[\w.%-]*\.tar$/);
    expect(execFileSync('tar', ['-xO'], { input: body }).toString()).toBe('latin');
  });

  it('is what its page links to, and may be the whole archive', async () => {
    expect((await askOne(`${base}/few/`)).body.toString()).toContain('<a href="?tar">');
    expect(members((await askOne(`${base}/few/?tar`)).body)).toEqual(['few/', 'few/a', 'few/b', 'few/c']);
    const whole = members((await askOne('/?tar')).body);
    expect(whole).toContain(`${base.slice(1)}/few/b`);
    // Also without the slash at the end.
    expect((await askOne(`${base}/few?tar`)).status).toBe(200);
  });

  it('is described by HEAD, and sends nothing then', async () => {
    let exports = 0;
    const exporter: TarExporter = { exportTar: () => Promise.reject(new Error(`export ${(exports += 1)}`)) };
    const { status, headers, body } = await askOne(`${base}/few/?tar`, { method: 'HEAD' }, { exporter });
    expect([status, body.length, exports]).toEqual([200, 0, 0]);
    expect(headers).toMatchObject({
      'content-type': 'application/x-tar',
      'content-disposition': "attachment; filename*=UTF-8''few.tar",
    });
  });

  it('is refused for what is no directory of an archive', async () => {
    expect((await askOne(`${base}/few/a?tar`)).status).toBe(404);
    expect((await askOne(`${base}/absent/?tar`)).status).toBe(404);
    const all = { archives: () => shelf.repository.archives(), refresh: async () => await Promise.resolve() };
    await using browsing = await serve(shelf.show({ all }));
    for (const path of ['/', '/home/']) {
      expect((await askAt(browsing.port, `${path}?tar`)).status).toBe(404);
      expect((await askAt(browsing.port, path)).body.toString()).not.toContain('?tar');
    }
    const { name } = shelf.repository.archive('latest');
    const few = await askAt(browsing.port, `/home/${name}${base}/few/?tar`);
    expect(members(few.body)).toEqual(['few/', 'few/a', 'few/b', 'few/c']);
  });
});

describe('a tar stream', () => {
  /** Counts what the repository gave, and tells how the export ended. */
  function watched(): { exporter: TarExporter; given: () => number; ended: Promise<string> } {
    let given = 0;
    let end: (how: string) => void = () => undefined;
    const ended = new Promise<string>((resolve) => (end = resolve));
    const exporter: TarExporter = {
      exportTar: async (ref, sink, options, run) => {
        const counting = async (bytes: Uint8Array): Promise<void> => {
          given += bytes.length;
          await sink(bytes);
        };
        try {
          const report = await shelf.repository.exportTar(ref, counting, options, run);
          end('whole');
          return report;
        } catch (error) {
          end(error instanceof Error ? error.constructor.name : 'unknown');
          throw error;
        }
      },
    };
    return { exporter, given: () => given, ended };
  }

  /** Begins to ask, and gives the answer whose body nobody reads yet. */
  async function begin(port: number): Promise<IncomingMessage> {
    return await new Promise((resolve, reject) => {
      const headers = { Authorization: `Basic ${Buffer.from('any:secret').toString('base64')}` };
      const path = `${base}/large/?tar`;
      request({ port, host: '127.0.0.1', path, headers }, resolve).on('error', reject).end();
    });
  }

  /** Waits until a number stays as it is. */
  async function settled(number: () => number): Promise<number> {
    for (let before = -1; ;) {
      const now = number();
      if (now === before && now > 0) return now;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }

  it('waits for a slow reader, with little in memory', async () => {
    const { exporter, given, ended } = watched();
    await using browsing = await serve(undefined, { exporter });
    const response = await begin(browsing.port);
    expect(await settled(given)).toBeLessThan(MOST_BUFFERED);
    let received = 0;
    for await (const part of response as AsyncIterable<Buffer>) received += part.length;
    expect([await ended, received, received > LARGE_BYTES]).toEqual(['whole', given(), true]);
  });

  it('ends when its reader goes away, and nothing goes on', async () => {
    const { exporter, given, ended } = watched();
    await using browsing = await serve(undefined, { exporter });
    const response = await begin(browsing.port);
    await settled(given);
    response.destroy();
    expect(await ended).not.toBe('whole');
    expect(await settled(given)).toBeLessThan(MOST_BUFFERED);
    // To go away is nobody's problem, and the server goes on.
    expect(shelf.problems).toEqual([]);
    expect((await askAt(browsing.port, `${base}/few/?tar`)).complete).toBe(true);
  });

  it('that lacks a damaged file has all others, and no end that says that it is whole', async () => {
    await using own = await Shelf.make((directory) => {
      for (const name of ['a', 'b', 'c']) writeFileSync(`${directory}/${name}`, randomBytes(300_000));
    });
    const { store, keys } = own;
    // In the place of the one pack with file data, one with a flipped bit in its middle: that is in one file's only chunk.
    const damaged: ObjectStore = {
      description: store.description,
      put: async (...args) => await store.put(...args),
      list: (...args) => store.list(...args),
      delete: async (...args) => await store.delete(...args),
      [Symbol.asyncDispose]: async () => await store[Symbol.asyncDispose](),
      get: async (key, options = {}) => {
        const bytes = new Uint8Array(await store.get(key, options));
        const at = 500_000 - (options.range?.offset ?? 0);
        if (key.kind === 'packs' && at >= 0 && at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ 1;
        return bytes;
      },
    };
    const repository = await Repository.open(damaged, { keys });
    const problems: string[] = [];
    const archive = repository.archive('latest');
    const onProblem = (text: string): void => void problems.push(text);
    await using browsing = await serve(own.show({ archive }), { exporter: repository, onProblem });
    const path = Buffer.from(archive.descriptor.paths[0] ?? new Uint8Array()).toString();
    const { status, body, complete } = await askAt(browsing.port, `${path}/?tar`);
    expect([status, complete, members(body).length]).toEqual([200, false, 3]);
    expect(problems).toEqual([expect.stringMatching(/left out of a tar stream: .*\/[abc]/)]);
  });
});
