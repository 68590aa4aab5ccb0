import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCairnError } from '../errors.ts';
import { ArchiveBuilder, directoryNode, fileNode, symlinkNode, type ArchiveNode } from '../testing/archive-builder.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { ENTRY_KIND } from '../tree/entry.ts';
import { diffArchives, type Change, type DiffOptions } from './diff.ts';

async function diff(
  before: readonly ArchiveNode[],
  after: readonly ArchiveNode[],
  options?: DiffOptions,
): Promise<Change[]> {
  const builder = await ArchiveBuilder.create();
  const [a, b] = [await builder.commit(before), await builder.commit(after)];
  const changes: Change[] = [];
  for await (const change of diffArchives(await builder.access(), a, b, options)) changes.push(change);
  return changes;
}

const short = (changes: readonly Change[]): string[] =>
  changes.map(({ path, change, what }) => [change, path, ...what].join(' '));

/** A small tree of few names, so that two of them have much in common. */
const trees: fc.Arbitrary<readonly ArchiveNode[]> = fc.letrec<{ tree: readonly ArchiveNode[]; node: ArchiveNode }>(
  (tie) => ({
    tree: fc.uniqueArray(tie('node'), { maxLength: 4, selector: ({ entry }) => entry.name, depthIdentifier: 'tree' }),
    node: fc
      .tuple(
        fc.constantFrom('a', 'a.b', 'b', 'c'),
        fc.constantFrom(0o755, 0o700),
        fc.oneof(
          { depthSize: 'small', depthIdentifier: 'tree', maxDepth: 4 },
          fc.constantFrom('', 'x', 'y'),
          tie('tree'),
        ),
      )
      .map(([name, mode, content]) =>
        typeof content === 'string' ? fileNode(name, content, { mode }) : directoryNode(name, content, { mode }),
      ),
  }),
).tree;

/** What every path of a tree is, without looking at archives. */
function flatten(nodes: readonly ArchiveNode[], at = ''): Map<string, string> {
  const flat = new Map<string, string>();
  for (const { entry, pieces, children } of nodes) {
    const path = `${at}/${entry.name}`;
    flat.set(path, `${entry.kind} ${entry.mode} ${Buffer.concat(pieces ?? []).toString()}`);
    for (const [below, what] of flatten(children ?? [], path)) flat.set(below, what);
  }
  return flat;
}

describe('diffArchives', () => {
  it('finds no difference between equal trees', async () => {
    expect(await diff([fileNode('a', 'x')], [fileNode('a', 'x')])).toEqual([]);
  });

  it('tells what of an entry differs', async () => {
    const xattrs = [['user.a', Buffer.from('1')]] as const;
    const before = [
      fileNode('content', 'old', {}),
      fileNode('flags', '', { flags: 0x10 }),
      fileNode('mode', '', { mode: 0o600 }),
      fileNode('mtime', '', { mtimeNs: 1n }),
      fileNode('nothing', '', { ctimeNs: 1n, inode: 7n, link: 3 }),
      fileNode('owner', '', { user: 'alice' }),
      symlinkNode('target', 'here'),
      fileNode('xattrs', '', { xattrs }),
    ];
    const after = [
      fileNode('content', 'newer', {}),
      fileNode('flags', '', { flags: 0x20 }),
      fileNode('mode', '', { mode: 0o644 }),
      fileNode('mtime', '', { mtimeNs: 2n }),
      fileNode('nothing', '', { ctimeNs: 2n, inode: 8n, link: 4 }),
      fileNode('owner', '', { user: 'bob' }),
      symlinkNode('target', 'there'),
      fileNode('xattrs', '', { xattrs: [['user.a', Buffer.from('2')]] }),
    ];
    expect(short(await diff(before, after))).toEqual(
      ['content', 'flags', 'mode', 'mtime', 'owner', 'target', 'xattrs'].map((part) => `modified /${part} ${part}`),
    );
  });

  it('tells holes that moved as content', async () => {
    const piece = [Buffer.from('data')];
    const [change] = await diff(
      [fileNode('f', piece, { holes: [[0, 4]] })],
      [fileNode('f', piece, { holes: [[4, 4]] })],
    );
    expect(change).toMatchObject({ path: '/f', what: ['content'], addedBytes: 0, removedBytes: 0 });
  });

  it('counts bytes by chunks', async () => {
    const piece = (seed: string, length: number): Buffer => pseudoRandomBytes(seed, length);
    const before = [
      fileNode('f', [piece('a', 1000), piece('b', 200), piece('c', 30)]),
      fileNode('gone', [piece('d', 5)]),
    ];
    const after = [
      fileNode('f', [piece('c', 30), piece('e', 7000), piece('a', 1000)]),
      fileNode('new', [piece('a', 1000)]),
    ];
    expect(
      (await diff(before, after)).map(({ path, addedBytes, removedBytes }) => [path, addedBytes, removedBytes]),
    ).toEqual([
      ['/f', 7000, 200],
      ['/gone', 0, 5],
      ['/new', 1000, 0],
    ]);
  });

  it('tells another kind as such, with what was below', async () => {
    const changes = await diff([directoryNode('x', [fileNode('in', 'abc')])], [fileNode('x', 'abcdef')]);
    expect(short(changes)).toEqual(['type /x', 'removed /x/in']);
    expect(changes[0]).toMatchObject({ addedBytes: 6, removedBytes: 0 });
    expect(changes[0]?.before?.kind).toBe(ENTRY_KIND.directory);
    expect(changes[0]?.after?.kind).toBe(ENTRY_KIND.file);
  });

  it('compares only what is at and below given paths', async () => {
    const before = [
      directoryNode('a', [fileNode('1', 'x'), fileNode('2', 'x')]),
      fileNode('b', 'x'),
      fileNode('c', 'x'),
    ];
    const after = [
      directoryNode('a', [fileNode('1', 'y'), fileNode('2', 'y')]),
      fileNode('b', 'y'),
      fileNode('d', 'x'),
    ];
    const of = async (...paths: string[]): Promise<string[]> =>
      (await diff(before, after, { paths })).map(({ path }) => path);
    expect(await of('/a')).toEqual(['/a/1', '/a/2']);
    expect(await of('b', '/a/2', '/a/', '/a/2')).toEqual(['/a/1', '/a/2', '/b']);
    expect(await of('/c')).toEqual(['/c']);
    expect(await of('/')).toEqual(['/a/1', '/a/2', '/b', '/c', '/d']);
    await expect(of('/nowhere')).rejects.toSatisfy((error) => isCairnError(error, 'PATH_MISSING'));
  });

  it('agrees with a comparison of the trees themselves, in the order of a walk', async () => {
    await fc.assert(
      fc.asyncProperty(trees, trees, async (before, after) => {
        const [left, right] = [flatten(before), flatten(after)];
        const expected = new Map<string, string>();
        for (const path of new Set([...left.keys(), ...right.keys()])) {
          const [a, b] = [left.get(path), right.get(path)];
          if (a === b) continue;
          if (a === undefined || b === undefined) expected.set(path, a === undefined ? 'added' : 'removed');
          else expected.set(path, a[0] === b[0] ? 'modified' : 'type');
        }
        const changes = await diff(before, after);
        expect(new Map(changes.map(({ path, change }) => [path, change]))).toEqual(expected);
        const order = changes.map(({ path }) => path.split('/'));
        expect(order).toEqual(order.toSorted((a, b) => compareNames(a, b)));
      }),
      { numRuns: 60 },
    );
  });
});

function compareNames(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((name, i) => name !== b[i]);
  if (at === -1) return a.length - b.length;
  const [left, right] = [a[at] ?? '', b[at] ?? ''];
  return left < right ? -1 : left > right ? 1 : 0;
}
