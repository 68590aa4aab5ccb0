import { describe, expect, it } from 'vitest';
import { isCairnError } from '../errors.ts';
import { fromUtf8 } from '../host/byte-path.ts';
import { ArchiveBuilder, directoryNode, fileNode, symlinkNode, type ArchiveNode } from '../testing/archive-builder.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { ArchiveView } from './archive-view.ts';
import type { ChunkSource } from './chunk-source.ts';
import { ENTRY_KIND } from './entry.ts';

async function viewOf(children: readonly ArchiveNode[]): Promise<{ view: ArchiveView; reads: () => number }> {
  const builder = await ArchiveBuilder.create();
  const archive = await builder.commit(children);
  const reader = await (await builder.access()).chunkReader();
  let reads = 0;
  const source: ChunkSource = {
    chunk: (type, id) => {
      reads += 1;
      return reader.chunk(type, id);
    },
  };
  return { view: new ArchiveView(source, archive), reads: () => reads };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function paths(view: ArchiveView, ...of: Parameters<ArchiveView['walk']>): Promise<string[]> {
  return (await collect(view.walk(...of))).map(({ path }) => path);
}

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string; hint: string }> {
  try {
    await work;
  } catch (error) {
    if (isCairnError(error)) return { code: error.code, message: error.message, hint: error.hint ?? '' };
    throw error;
  }
  throw new Error('it did not fail');
}

const TREE = [
  directoryNode('etc', [
    fileNode('passwd', 'root:x:0:0'),
    directoryNode('ssh', [fileNode('sshd_config', 'Port 22'), symlinkNode('link', '../passwd')]),
    fileNode('ssh.conf', ''),
  ]),
  directoryNode('empty', []),
  fileNode('\xff\xfe', 'not UTF-8'),
  fileNode(fromUtf8('zürich'), 'umlaut'),
];

describe('ArchiveView', () => {
  it('finds entries by path, with or without slashes too many', async () => {
    const { view } = await viewOf(TREE);
    expect((await view.entry('/')).name).toBe('');
    expect((await view.entry('')).kind).toBe(ENTRY_KIND.directory);
    for (const path of ['/etc/ssh/sshd_config', 'etc/ssh/sshd_config', '//etc/./ssh//sshd_config/']) {
      expect(await view.entry(path)).toMatchObject({ name: 'sshd_config', size: 7 });
    }
    expect((await view.entry('/\xff\xfe')).size).toBe(9);
    expect((await view.entry('/etc/ssh/link')).target).toBe('../passwd');
    expect(await view.entryIfAny('/etc/nothing')).toBeUndefined();
    expect(await view.entryIfAny('/etc/passwd')).toMatchObject({ name: 'passwd' });
  });

  it.each([
    ['/etc/ssh/nothing', 'The archive has /etc/ssh;'],
    ['/etc/nothing/at/all', 'The archive has /etc;'],
    ['/nothing', 'The archive has /;'],
    ['/etc/passwd/below', '/etc/passwd is a file.'],
    ['/etc/ssh/link/below', '/etc/ssh/link is a symlink.'],
    ['/etc/../etc', 'The archive has /etc;'],
  ])('says of %s what exists', async (path, hint) => {
    const { view } = await viewOf(TREE);
    const error = await failure(view.entry(path));
    expect(error.code).toBe('PATH_MISSING');
    expect(error.hint).toContain(hint);
  });

  it('shows a missing name safely', async () => {
    const { view } = await viewOf(TREE);
    expect((await failure(view.entry('/a\x1b[2J'))).message).toContain('/a\\x1b[2J');
  });

  it('walks depth first in the order of names', async () => {
    const { view } = await viewOf(TREE);
    expect(await paths(view)).toEqual([
      '/',
      '/empty',
      '/etc',
      '/etc/passwd',
      '/etc/ssh',
      '/etc/ssh/link',
      '/etc/ssh/sshd_config',
      '/etc/ssh.conf',
      '/z\xc3\xbcrich',
      '/\xff\xfe',
    ]);
    expect(await paths(view, 'etc/ssh/')).toEqual(['/etc/ssh', '/etc/ssh/link', '/etc/ssh/sshd_config']);
    expect(await paths(view, '/etc/passwd')).toEqual(['/etc/passwd']);
    expect(await paths(view, '/etc', { depth: 0 })).toEqual(['/etc']);
    expect(await paths(view, '/etc', { depth: 1 })).toEqual(['/etc', '/etc/passwd', '/etc/ssh', '/etc/ssh.conf']);
    expect((await paths(view, '/', { depth: 2 })).length).toBe(8);
  });

  it('lists a directory', async () => {
    const { view } = await viewOf(TREE);
    expect((await collect(view.entries('/etc'))).map(({ name }) => name)).toEqual(['passwd', 'ssh', 'ssh.conf']);
    expect(await collect(view.entries('/empty'))).toEqual([]);
    expect((await failure(collect(view.entries('/etc/passwd')))).message).toContain('is a file, not a directory');
  });

  it('reads files, whole and in part', async () => {
    const bytes = pseudoRandomBytes('content', 300_000);
    const pieces = [bytes.subarray(0, 100_000), bytes.subarray(100_000, 150_000), bytes.subarray(150_000)];
    const { view } = await viewOf([fileNode('file', pieces)]);
    expect(Buffer.concat(await collect(view.read('/file'))).equals(bytes)).toBe(true);
    const range = { offset: 90_000, length: 70_000 };
    expect(Buffer.concat(await collect(view.read('/file', range))).equals(bytes.subarray(90_000, 160_000))).toBe(true);
    expect((await failure(collect(view.read('/')))).code).toBe('USAGE');
  });

  it('reads a huge directory only as far as the name that is looked for', async () => {
    const names = Array.from({ length: 3000 }, (_, i) => `file-${`${i}`.padStart(5, '0')}`);
    const { view, reads } = await viewOf(names.map((name) => fileNode(name, '')));
    await view.entry(names[5] as string);
    const early = reads();
    await view.entry(names[2990] as string);
    const late = reads() - early;
    expect(early).toBeLessThanOrEqual(3);
    expect(late).toBeGreaterThan(20);
    expect(await view.entryIfAny('file-00005x')).toBeUndefined();
    expect(reads() - early - late).toBeLessThanOrEqual(3);
  });

  it('reads no more than a walk has come to', async () => {
    const names = Array.from({ length: 3000 }, (_, i) => `file-${`${i}`.padStart(5, '0')}`);
    const { view, reads } = await viewOf(names.map((name) => fileNode(name, '')));
    const walk = view.walk();
    for (let i = 0; i < 4; i++) await walk.next();
    expect(reads()).toBeLessThanOrEqual(3);
  });

  it('goes down a thousand levels', async () => {
    let node = fileNode('end', 'x');
    for (let level = 0; level < 1000; level++) node = directoryNode('d', [node]);
    const { view } = await viewOf([node]);
    const all = await paths(view);
    expect(all).toHaveLength(1002);
    expect(all.at(-1)).toBe(`${'/d'.repeat(1000)}/end`);
  });

  it('names the path at which an archive is damaged', async () => {
    const builder = await ArchiveBuilder.create();
    const archive = await builder.commit([directoryNode('dir', [fileNode('no/name', '')]), fileNode('good', 'fine')]);
    const view = new ArchiveView(await (await builder.access()).chunkReader(), archive);
    const error = await failure(paths(view));
    expect(error.code).toBe('CORRUPT');
    expect(error.message).toContain('/dir in test-2026');
    expect(Buffer.concat(await collect(view.read('/good'))).toString()).toBe('fine');
  });
});
