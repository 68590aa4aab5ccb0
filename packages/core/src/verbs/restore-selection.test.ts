import { existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { directoryNode, fileNode, symlinkNode } from '../testing/archive-builder.ts';
import { RestoreScratch } from '../testing/restore-scratch.ts';
import { restoreArchive } from './restore.ts';

let scratch: RestoreScratch;
beforeEach(async () => {
  scratch = await RestoreScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

const NODES = [
  directoryNode('etc', [
    fileNode('passwd', 'passwd'),
    fileNode('shadow', 'shadow'),
    directoryNode('nginx', [fileNode('nginx.conf', 'conf'), directoryNode('empty', [])], { mode: 0o710 }),
  ]),
  directoryNode('home', [directoryNode('user', [fileNode('a.txt', 'a'), fileNode('b.log', 'b')])]),
  symlinkNode('link', 'etc'),
];

/** Every path below the target, sorted. */
function restored(): string[] {
  return readdirSync(scratch.target, { recursive: true, encoding: 'utf8' }).sort();
}

describe('choosing what is restored', () => {
  it('restores one file with the directories above it', async () => {
    const report = await scratch.restoreNodes(NODES, { paths: ['/etc/passwd'] });
    expect(restored()).toEqual(['etc', 'etc/passwd']);
    expect(report).toMatchObject({ files: 1, directories: 1, others: 0 });
  });

  it('restores directories with everything below, whatever slashes and repetitions', async () => {
    await scratch.restoreNodes(NODES, {
      paths: ['etc/nginx/', '/home/user/a.txt', '//home/./user', 'etc/nginx/empty'],
    });
    expect(restored()).toEqual([
      'etc',
      'etc/nginx',
      'etc/nginx/empty',
      'etc/nginx/nginx.conf',
      'home',
      'home/user',
      'home/user/a.txt',
      'home/user/b.log',
    ]);
    expect(lstatSync(scratch.path('etc/nginx')).mode & 0o777).toBe(0o710);
  });

  it.each(['/etc/none', '/link/passwd', '/etc/passwd/x', '/../etc'])(
    'refuses %s, which the archive lacks',
    async (path) => {
      await expect(scratch.restoreNodes(NODES, { paths: ['/etc/passwd', path] })).rejects.toMatchObject({
        code: 'PATH_MISSING',
      });
      expect(existsSync(scratch.target)).toBe(false);
    },
  );

  it('strips components', async () => {
    const report = await scratch.restoreNodes(NODES, {
      paths: ['/etc/nginx', '/etc/passwd', '/link'],
      stripComponents: 2,
    });
    expect(restored()).toEqual(['empty', 'nginx.conf']);
    expect(report).toMatchObject({ files: 1, directories: 1 });
    expect(lstatSync(scratch.target).mode & 0o777).toBe(0o700);
  });

  it('reports names that stripping makes equal', async () => {
    const nodes = [directoryNode('a', [fileNode('x', 'of a')]), directoryNode('b', [fileNode('x', 'of b')])];
    const report = await scratch.restoreNodes(nodes, { stripComponents: 1 });
    expect(report.problemCounts).toEqual({ exists: 1 });
    expect(report.problems[0]?.path).toBe(scratch.text('x') === 'of a' ? '/b/x' : '/a/x');
  });

  it('excludes, and directories with everything below', async () => {
    await scratch.restoreNodes(NODES, {
      exclude: (path, isDirectory) => path.endsWith('.log') || (isDirectory && path === '/etc'),
    });
    expect(restored()).toEqual(['home', 'home/user', 'home/user/a.txt', 'link']);
  });

  it('includes, and makes no directory that is not needed', async () => {
    const report = await scratch.restoreNodes(NODES, {
      include: (path) => path.endsWith('.txt') || path === '/etc/nginx',
    });
    expect(restored()).toEqual([
      'etc',
      'etc/nginx',
      'etc/nginx/empty',
      'etc/nginx/nginx.conf',
      'home',
      'home/user',
      'home/user/a.txt',
    ]);
    expect(report).toMatchObject({ files: 2, directories: 5 });
  });

  it('counts the same in a dry run', async () => {
    const archive = await scratch.builder.commit(NODES);
    for (const paths of [undefined, ['/etc/nginx'], ['/home', '/link']]) {
      const options = paths === undefined ? {} : { paths };
      const planned = await scratch.restore(archive, { ...options, dryRun: true });
      const access = await scratch.builder.access();
      const made = await restoreArchive(access, archive, join(scratch.directory, `${paths?.length}`), {
        threads: 0,
        ...options,
      });
      expect(planned.files).toBe(made.files);
      expect(planned.bytes).toBe(made.bytes);
      expect(planned.others).toBe(made.others);
    }
  });
});

describe('the target', () => {
  it('must be empty', async () => {
    mkdirSync(scratch.target);
    writeFileSync(scratch.path('mine'), 'mine');
    await expect(scratch.restoreNodes(NODES)).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    expect(restored()).toEqual(['mine']);
  });

  it('must be a directory', async () => {
    writeFileSync(scratch.target, '');
    await expect(scratch.restoreNodes(NODES)).rejects.toMatchObject({ code: 'TARGET_FAILED' });
  });

  it('may be empty, or below directories that are missing', async () => {
    mkdirSync(scratch.target);
    await scratch.restoreNodes(NODES);
    const access = await scratch.builder.access();
    const archive = await scratch.builder.commit([fileNode('f', 'f')]);
    await access.log.refresh();
    const report = await restoreArchive(access, archive, join(scratch.directory, 'x/y/z'), { threads: 0 });
    expect(report.files).toBe(1);
  });

  it('keeps what is there when it may have content', async () => {
    mkdirSync(scratch.path('etc'), { recursive: true, mode: 0o711 });
    writeFileSync(scratch.path('etc/passwd'), 'mine');
    writeFileSync(scratch.path('home'), 'mine too');
    symlinkSync('elsewhere', scratch.path('link'));
    const report = await scratch.restoreNodes(NODES, { intoNonEmpty: true });
    expect(report.problemCounts).toEqual({ exists: 3 });
    expect(report.problems.map(({ path }) => path).sort()).toEqual(['/etc/passwd', '/home', '/link']);
    expect([scratch.text('etc/passwd'), scratch.text('home'), scratch.text('etc/shadow')]).toEqual([
      'mine',
      'mine too',
      'shadow',
    ]);
    expect(lstatSync(scratch.path('etc')).mode & 0o777).toBe(0o711);
  });

  it('never restores through a link that is there', async () => {
    mkdirSync(scratch.target);
    const outside = join(scratch.directory, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, scratch.path('etc'));
    const report = await scratch.restoreNodes(NODES, { intoNonEmpty: true });
    expect(readdirSync(outside)).toEqual([]);
    expect(report.problems).toMatchObject([{ kind: 'exists', path: '/etc' }]);
  });
});
