import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { MAIN, Workplace } from './support/cairn.ts';

const isRoot = process.getuid?.() === 0;
/** The account of nobody on Debian and its relatives. */
const NOBODY = 65_534;

let place: Workplace;
let env: Record<string, string>;

beforeAll(() => {
  place = new Workplace();
  env = { CAIRN_REPOSITORY: place.path('repo') };
  place.file('source/one.txt', 'one');
  place.good(['init'], { env });
  place.good(['backup', place.path('source')], { env });
});

afterAll(() => place.remove());

describe('what goes wrong has an exit status and a hint', () => {
  it.each([
    ['no command', [], 2, 'no command is given'],
    ['an unknown command', ['bakcup'], 2, 'Did you mean backup?'],
    ['an unknown option', ['list', '--lats', '3'], 2, "unknown option '--lats'"],
    ['an option without its value', ['list', '--last'], 2, 'argument missing'],
    ['a number that is none', ['list', '--last', 'many'], 2, 'whole number'],
    ['a missing operand', ['cat', 'latest'], 2, "missing required argument 'path'"],
    ['too many operands', ['list', 'more'], 2, 'too many arguments'],
    ['a restore without a target', ['restore', 'latest'], 2, '--to'],
    ['no path to back up', ['backup'], 2, 'no path to back up is given'],
    ['a pattern that is wrong', ['backup', '--exclude', 're:(', '/etc'], 2, 're:('],
    ['a preset that does not exist', ['backup', '--preset', 'nonesuch', '/etc'], 2, 'The presets are'],
    ['a size that is none', ['backup', '--exclude-larger-than', 'huge', '/etc'], 2, '"huge" is no size'],
    ['an exclude file that is not there', ['backup', '--exclude-from', '/nonesuch', '/etc'], 2, '/nonesuch'],
    [
      'an address of another kind',
      ['list', '-r', 'ftp://example.org/repo'],
      2,
      'ftp://… is not where a repository can be',
    ],
    ['a place without a repository', ['list', '-r', '/nonesuch'], 10, 'there is no repository in /nonesuch'],
    ['an archive that does not exist', ['ls', 'nonesuch'], 15, 'there is no archive "nonesuch"'],
    ['too little of an id', ['ls', 'a1'], 15, '4 digits or more are needed'],
    ['a path that the archive lacks', ['cat', 'latest', '/nonesuch'], 15, 'there is no /nonesuch'],
    [
      'a path that is not whole',
      ['cat', 'latest', 'one.txt'],
      15,
      '`cairn ls` what is in there. Paths are whole paths',
    ],
    ['a directory where a file is needed', ['cat', 'latest', '/'], 2, 'is a directory, not a file'],
    ['nothing that can be read', ['backup', '/nonesuch'], 40, 'nothing could be read of /nonesuch'],
    ['a key file that is not there', ['list', '--key-file', '/nonesuch'], 2, 'cannot read the key file /nonesuch'],
  ] as const)('%s', (_, args, status, message) => {
    const outcome = place.cairn(args, { env });
    expect(outcome.stderr).toContain(message);
    expect(outcome.stderr).toMatch(/^cairn: /m);
    expect(outcome).toMatchObject({ status, stdout: '' });
  });

  it('no repository at all', () => {
    const { status, stderr } = place.cairn(['list']);
    expect(status).toBe(2);
    expect(stderr).toContain('Name it with -r ADDRESS');
  });

  it('help is no error', () => {
    expect(place.good(['--help'])).toContain('Commands:');
    expect(place.good(['key', 'slot', 'add', '--help'])).toMatch(/Example:\n {2}cairn key slot add .*\n$/);
    expect(place.good(['--version'])).toBe(`${place.good(['-V'])}`);
    expect(place.good(['help'])).toBe(place.good(['--help']));
    expect(place.good(['help', 'key', 'slot', 'add'])).toBe(place.good(['key', 'slot', 'add', '--help']));
  });

  it('a program error shows where it happened only when asked', () => {
    const plain = place.cairn(['list', '-r', '/nonesuch'], { env });
    expect(plain.stderr).not.toContain('    at ');
    expect(place.cairn(['list', '-v', '-r', '/nonesuch'], { env }).stderr).toContain('    at ');
  });
});

describe('what cannot be read', () => {
  it.skipIf(!isRoot)('is named by kind, the rest is stored, and the exit status is 3', () => {
    place.file('mixed/open.txt', 'open');
    chmodSync(place.file('mixed/secret.txt', 'secret'), 0o000);
    mkdirSync(place.path('mixed', 'closed'), { mode: 0o000 });
    // As another user, for root reads everything.
    for (const path of [place.directory, place.path('mixed'), place.path('mixed', 'open.txt')]) chmodSync(path, 0o755);
    const home = place.path('nobody');
    mkdirSync(home);
    chownSync(home, NOBODY, NOBODY);
    const prefix = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'];
    const own = { env: { HOME: home, CAIRN_REPOSITORY: `${home}/repo` }, prefix };
    place.good(['init'], own);
    const { status, stdout, stderr } = place.cairn(['backup', place.path('mixed')], own);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^unreadable: .*\/mixed\/secret\.txt: .*permission/im);
    expect(stderr).toMatch(/^unreadable: .*\/mixed\/closed: .*permission/im);
    expect(stdout).toMatch(/unreadable +2 times/);
    expect(place.good(['cat', 'latest', `${place.path('mixed')}/open.txt`], own)).toBe('open');
    expect(place.json<{ complete: boolean }[]>(['list'], own)).toMatchObject([{ complete: false }]);
  });

  it('of several sources does not stop the others', () => {
    const { status, stderr } = place.cairn(['backup', place.path('source'), place.path('absent')], { env });
    expect(status).toBe(3);
    expect(stderr).toMatch(/^missing-source: .*\/absent: there is no such file or directory$/m);
  });
});

describe('a pipe that nobody reads any more', () => {
  it('ends the command quietly', () => {
    const lines = 20_000;
    place.file('many/x', 'x');
    for (let i = 0; i < 30; i++) mkdirSync(place.path('many', 'd'.repeat(200) + i));
    place.good(['backup', '--series', 'many', place.path('many')], { env });
    const script = `"$0" "$@" | head -n 1; echo "status \${PIPESTATUS[0]}"`;
    const args = ['ls', 'many@latest', ...Array.from({ length: lines / 1000 }, () => place.path('many'))];
    const { stdout, stderr } = place.cairn(args, { env, prefix: ['bash', '-c', script] });
    expect(stdout).toMatch(/^\/.*\nstatus (141|0)\n$/);
    expect(stderr).toBe('');
  });
});

/** SIGHUP, of which Node.js itself takes no notice, in the mask of signals that a process catches (proc_pid_status(5)). */
const CATCHES_SIGHUP = 1n;

/** Until the command would hear a signal. */
async function untilItListens({ pid }: ChildProcess): Promise<void> {
  await expect
    .poll(() => /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0', {
      timeout: 10_000,
    })
    .toSatisfy((mask: string) => (BigInt(`0x${mask}`) & CATCHES_SIGHUP) !== 0n);
}

describe('Ctrl-C', () => {
  it('ends a backup cleanly, with nothing half done', async () => {
    for (let i = 0; i < 40; i++) place.file(`large/${i}`, randomBytes(1_000_000).toString('base64'));
    const child = place.start(['backup', '--compression', '19', place.path('large')], env);
    let stderr = '';
    child.stderr?.on('data', (text: Buffer) => (stderr += text.toString()));
    await untilItListens(child);
    child.kill('SIGINT');
    const [status] = (await once(child, 'exit')) as [number | null];
    expect(stderr).toContain('stopped');
    expect(status).toBe(130);
    expect(place.good(['check', '--quiet'], { env })).toContain('No damage');
    expect(place.good(['backup', place.path('large')], { env })).toContain('Archive');
  });

  it('is one, also when it comes to the command and to the group that it is in', async () => {
    const child = place.start(['browse'], env);
    await once(child.stdout ?? child, 'data');
    child.kill('SIGINT');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('is heard while a key is waited for', async () => {
    const child = place.start(['key', 'import'], env);
    await untilItListens(child);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([130, null]);
  });
});

describe('the program file', () => {
  it('loads nothing but the version until it knows that more is needed', () => {
    const [, ...imported] = readFileSync(MAIN, 'utf8').split(/^import .*? from "/m);
    const files = imported.map((text) => text.slice(0, text.indexOf('"'))).filter((name) => name.startsWith('.'));
    expect(files).toEqual([expect.stringMatching(/^\.\/version-/)]);
  });

  it('can be run by itself', () => {
    expect(readFileSync(MAIN, 'utf8').startsWith('#!/usr/bin/env node')).toBe(true);
  });
});
