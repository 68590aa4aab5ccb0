import { describe, expect, it } from 'vitest';
import { CountingStore } from '../check/context.ts';
import { ArchiveBuilder, directoryNode, fileNode, type ArchiveNode } from '../testing/archive-builder.ts';
import { findPaths, type FindOptions } from './find.ts';

const stable = directoryNode(
  'stable',
  Array.from({ length: 400 }, (_, i) => fileNode(`f${i}`, '')),
);
const HOME: readonly (readonly ArchiveNode[])[] = [
  [stable, directoryNode('home', [fileNode('notes.txt', 'one'), directoryNode('old', [fileNode('notes.txt', 'old')])])],
  [stable, directoryNode('home', [fileNode('notes.txt', 'two'), directoryNode('old', [fileNode('notes.txt', 'old')])])],
  [stable, directoryNode('other', [directoryNode('old', [fileNode('notes.txt', 'old')])])],
];

async function repository(trees: readonly (readonly ArchiveNode[])[]): Promise<{
  readonly ids: readonly string[];
  readonly find: (options: FindOptions) => Promise<string[]>;
  readonly bytes: () => number;
}> {
  const builder = await ArchiveBuilder.create();
  const ids: string[] = [];
  for (const tree of trees) ids.push((await builder.commit(tree)).id);
  const store = new CountingStore(builder.store);
  const access = await builder.access(store);
  await access.index();
  store.bytesRead = 0;
  const find = async (options: FindOptions): Promise<string[]> => {
    const found: string[] = [];
    for await (const { archive, path, entry } of findPaths(access, options)) {
      expect(path.endsWith(`/${entry.name}`)).toBe(true);
      found.push(`${ids.indexOf(archive.id)} ${path}`);
    }
    return found;
  };
  return { ids, find, bytes: () => store.bytesRead };
}

describe('findPaths', () => {
  it('finds paths in all archives, the newest first', async () => {
    const { find } = await repository(HOME);
    expect(await find({ match: (path) => path.endsWith('.txt') })).toEqual([
      '2 /other/old/notes.txt',
      '1 /home/notes.txt',
      '1 /home/old/notes.txt',
      '0 /home/notes.txt',
      '0 /home/old/notes.txt',
    ]);
  });

  it('matches whole paths, also where a directory is known from another path', async () => {
    const { find } = await repository(HOME);
    expect(await find({ match: (path) => path === '/home/old/notes.txt' })).toEqual([
      '1 /home/old/notes.txt',
      '0 /home/old/notes.txt',
    ]);
    expect(await find({ match: (path) => path === '/other/old/notes.txt' })).toEqual(['2 /other/old/notes.txt']);
  });

  it('finds directories, and what is in them', async () => {
    const { find } = await repository(HOME);
    expect(await find({ match: (path) => path.includes('/old') })).toEqual([
      '2 /other/old',
      '2 /other/old/notes.txt',
      '1 /home/old',
      '1 /home/old/notes.txt',
      '0 /home/old',
      '0 /home/old/notes.txt',
    ]);
  });

  it('looks only below a path, and only into given archives', async () => {
    const { find } = await repository(HOME);
    expect(await find({ match: (path) => path.endsWith('.txt'), under: '/home/old/' })).toEqual([
      '1 /home/old/notes.txt',
      '0 /home/old/notes.txt',
    ]);
    expect(await find({ match: (path) => path === '/home', under: 'home' })).toEqual(['1 /home', '0 /home']);
    expect(await find({ match: () => true, archives: [] })).toEqual([]);
  });

  it('reads what many archives share once', async () => {
    const trees = Array.from({ length: 12 }, () => HOME[0] as readonly ArchiveNode[]);
    const once = await repository(trees.slice(0, 1));
    const often = await repository(trees);
    for (const match of [(path: string) => path.endsWith('/f7'), () => false, () => true]) {
      const [few, many] = [await once.find({ match }), await often.find({ match })];
      expect(many).toHaveLength(12 * few.length);
    }
    expect(often.bytes()).toBeLessThan(once.bytes() * 1.5);
  });
});
