import { lstatSync, mkdirSync, readlinkSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { getInodeFlagsOf, INODE_FLAG } from '../host/inode-flags.ts';
import { getXattr } from '../host/xattrs.ts';
import { directoryNode, fileNode, symlinkNode } from '../testing/archive-builder.ts';
import { encodePosixAcl } from '../testing/posix-acl.ts';
import { RestoreScratch } from '../testing/restore-scratch.ts';
import { ENTRY_KIND } from '../tree/entry.ts';

const isRoot = process.geteuid?.() === 0;
const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
const mine = { uid, gid };

let scratch: RestoreScratch;
beforeEach(async () => {
  scratch = await RestoreScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

const modeOf = (name: string): number => lstatSync(scratch.path(name)).mode & 0o7777;

describe('restoring metadata', () => {
  it('sets modes and times, of directories after their entries', async () => {
    const mtimeNs = -1_500_000_001n;
    const report = await scratch.restoreNodes([
      directoryNode(
        'd',
        [fileNode('f', 'f', { ...mine, mode: 0o400, mtimeNs }), symlinkNode('l', 'f', { ...mine, mtimeNs })],
        {
          ...mine,
          mode: 0o1511,
          mtimeNs,
        },
      ),
    ]);
    expect(report.problems).toEqual([]);
    for (const name of ['d', 'd/f', 'd/l']) {
      expect(lstatSync(scratch.path(name), { bigint: true }).mtimeNs, name).toBe(mtimeNs);
    }
    expect([modeOf('d'), modeOf('d/f')]).toEqual([0o1511, 0o400]);
  });

  it('sets xattrs and ACLs of files and directories', async () => {
    const acl = encodePosixAcl([
      { tag: 'userOwner', permissions: 6 },
      { tag: 'user', id: 12_345, permissions: 7 },
      { tag: 'groupOwner', permissions: 4 },
      { tag: 'mask', permissions: 5 },
      { tag: 'other', permissions: 0 },
    ]);
    const xattrs = [
      ['system.posix_acl_access', acl],
      ['user.name', Buffer.from('value')],
    ] as const;
    await scratch.restoreNodes([
      fileNode('f', 'f', { mode: 0o650, xattrs }),
      directoryNode('d', [], { mode: 0o650, xattrs }),
    ]);
    for (const name of ['f', 'd']) {
      for (const [xattr, value] of xattrs) {
        expect(getXattr(scratch.path(name), xattr)?.equals(value), `${xattr} of ${name}`).toBe(true);
      }
    }
    expect(modeOf('f')).toBe(0o650);
  });

  it('makes symlinks, FIFOs and sockets', async () => {
    const report = await scratch.restoreNodes([
      symlinkNode('l', '/no/such/\xff', mine),
      { entry: { name: 'p', kind: ENTRY_KIND.fifo, mode: 0o604, ...mine } },
      { entry: { name: 's', kind: ENTRY_KIND.socket, mode: 0o640, ...mine } },
    ]);
    expect(report).toMatchObject({ others: 3, problems: [], notRestored: {} });
    expect(readlinkSync(scratch.path('l'), 'latin1')).toBe('/no/such/\xff');
    expect(lstatSync(scratch.path('p')).isFIFO()).toBe(true);
    expect(lstatSync(scratch.path('s')).isSocket()).toBe(true);
    expect([modeOf('p'), modeOf('s')]).toEqual([0o604, 0o640]);
  });

  it('leaves out what gives rights, and counts it', async () => {
    const xattrs = [
      ['security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex')],
      ['trusted.x', Buffer.from('1')],
      ['user.x', Buffer.from('1')],
    ] as const;
    const report = await scratch.restoreNodes([
      fileNode('f', 'f', { ...mine, mode: 0o6755, xattrs, flags: INODE_FLAG.immutable }),
      directoryNode('d', [], { ...mine, mode: 0o2755 }),
      { entry: { name: 'null', kind: ENTRY_KIND.character, device: [1, 3], mode: 0o666 } },
    ]);
    expect(report.notRestored).toEqual({ device: 1, setuid: 1, xattr: 2, immutable: 1 });
    expect(report).toMatchObject({ others: 0, problems: [] });
    expect([modeOf('f'), modeOf('d')]).toEqual([0o755, 0o2755]);
    expect(getXattr(scratch.path('f'), 'security.capability')).toBeUndefined();
    expect(getXattr(scratch.path('f'), 'user.x')?.toString()).toBe('1');
    expect(() => lstatSync(scratch.path('null'))).toThrow('ENOENT');
  });

  it.runIf(isRoot)('restores what gives rights when root asks for it', async () => {
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const report = await scratch.restoreNodes(
      [
        fileNode('f', 'f', { uid: 1234, gid: 2345, mode: 0o6755, xattrs: [['security.capability', capability]] }),
        symlinkNode('l', 'x', { uid: 1234, gid: 2345, xattrs: [['trusted.x', Buffer.from('1')]] }),
        { entry: { name: 'null', kind: ENTRY_KIND.character, device: [1, 3], mode: 0o666, uid: 1234 } },
      ],
      { privileged: true },
    );
    expect(report).toMatchObject({ files: 1, others: 2, problems: [], notRestored: {} });
    expect(lstatSync(scratch.path('f'))).toMatchObject({ uid: 1234, gid: 2345 });
    expect(lstatSync(scratch.path('l'))).toMatchObject({ uid: 1234, gid: 2345 });
    expect(getXattr(scratch.path('l'), 'trusted.x')?.toString()).toBe('1');
    expect([modeOf('f'), modeOf('null')]).toEqual([0o6755, 0o666]);
    expect(getXattr(scratch.path('f'), 'security.capability')?.equals(capability)).toBe(true);
    expect(lstatSync(scratch.path('null'))).toMatchObject({ rdev: 0x103, uid: 1234 });
  });

  it('never makes a setuid file whose owner is not the right one', async () => {
    const report = await scratch.restoreNodes([fileNode('f', 'f', { uid: 0xffff_ffff, mode: 0o4755 })], {
      privileged: true,
    });
    expect(modeOf('f')).toBe(0o755);
    expect(report.problemCounts).toEqual({ owner: 1 });
    expect(report.notRestored).toEqual({ setuid: 1 });
  });

  it.skipIf(isRoot)('reports owners and rights that only root may set, and restores the rest', async () => {
    const nodes = [fileNode('f', 'f', { uid: 0, gid: 0, mode: 0o4755 }), fileNode('mine', 'm', mine)];
    const report = await scratch.restoreNodes(nodes, { privileged: true });
    expect(report).toMatchObject({ files: 2, problemCounts: { owner: 1 }, notRestored: { setuid: 1 } });
    expect(modeOf('f')).toBe(0o755);
  });

  it.runIf(isRoot)('takes owners by name where this machine knows the name', async () => {
    const nodes = [
      fileNode('known', '', { uid: 4321, gid: 4321, user: userInfo().username, group: 'no such group' }),
      directoryNode('d', [], { uid: 4321, gid: 4321, user: userInfo().username }),
    ];
    await scratch.restoreNodes(nodes);
    expect(statSync(scratch.path('known'))).toMatchObject({ uid, gid: 4321 });
    const archive = await scratch.builder.commit(nodes);
    await scratch.restore(archive, { numericOwner: true, intoNonEmpty: true, exclude: (path) => path === '/known' });
    expect(statSync(scratch.path('d'))).toMatchObject({ uid, gid: 4321 });
  });

  it('sets inode flags', async () => {
    const report = await scratch.restoreNodes([
      fileNode('f', 'f', { ...mine, flags: INODE_FLAG.noDump }),
      directoryNode('d', [], { ...mine, flags: INODE_FLAG.noDump }),
    ]);
    const supported = getInodeFlagsOf(scratch.target) !== undefined;
    expect(report.problemCounts).toEqual(supported ? {} : { flags: 2 });
    if (supported) expect(getInodeFlagsOf(scratch.path('f'))).toBe(INODE_FLAG.noDump);
  });

  it('gives the target the metadata of the root when it makes the target', async () => {
    const archive = await scratch.builder.commit([fileNode('f', '')], { root: { ...mine, mode: 0o751, mtimeNs: 5n } });
    await scratch.restore(archive);
    expect(lstatSync(scratch.target, { bigint: true })).toMatchObject({ mode: 0o40751n, mtimeNs: 5n });
  });

  it('leaves a target that was there as it was', async () => {
    mkdirSync(scratch.target, { mode: 0o711 });
    await scratch.restoreNodes([fileNode('f', '')]);
    expect(modeOf('.')).toBe(0o711);
  });
});

describe('restoring hard links', () => {
  const link = { link: 0, inode: 99n };

  it('makes one file of all names, of all kinds, across directories', async () => {
    const pieces = [Buffer.from('piece one '), Buffer.from('piece two')];
    const large = { link: 0, inode: 100n };
    const report = await scratch.restoreNodes([
      directoryNode('a', [fileNode('one', 'content', link), fileNode('large', pieces, large)], { mode: 0o500 }),
      directoryNode('b', [fileNode('two', 'content', link), symlinkNode('l1', 'x', { link: 0, inode: 101n })]),
      fileNode('large', pieces, large),
      symlinkNode('l2', 'x', { link: 0, inode: 101n }),
      fileNode('three', 'content', link),
      fileNode('other', 'content', { link: 1, inode: 99n }),
    ]);
    const inode = (name: string): number => lstatSync(scratch.path(name)).ino;
    expect(report).toMatchObject({ files: 6, others: 2, problems: [], bytes: 7 + 19 + 7 });
    expect(inode('b/two')).toBe(inode('a/one'));
    expect(inode('three')).toBe(inode('a/one'));
    expect(inode('large')).toBe(inode('a/large'));
    expect(inode('l2')).toBe(inode('b/l1'));
    expect(inode('other')).not.toBe(inode('a/one'));
    expect(lstatSync(scratch.path('three')).nlink).toBe(3);
  });

  it('restores the other names when the first cannot be made', async () => {
    mkdirSync(scratch.path('one'), { recursive: true });
    const report = await scratch.restoreNodes(
      [fileNode('one', 'content', link), fileNode('two', 'content', link), fileNode('zzz', 'content', link)],
      { intoNonEmpty: true },
    );
    expect(report.problems).toMatchObject([{ kind: 'exists', path: '/one' }]);
    expect(scratch.text('two')).toBe('content');
    expect(lstatSync(scratch.path('zzz')).ino).toBe(lstatSync(scratch.path('two')).ino);
  });

  it('makes the name that was selected, though it is not the first', async () => {
    const archive = await scratch.builder.commit([fileNode('one', 'content', link), fileNode('two', 'content', link)]);
    const report = await scratch.restore(archive, { paths: ['two'] });
    expect(report).toMatchObject({ files: 1, problems: [] });
    expect(scratch.text('two')).toBe('content');
  });
});
