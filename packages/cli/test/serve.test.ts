import { openSshStore } from '@cairn/core';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

import { MAIN, Workplace } from './support/cairn.ts';

const SERVER = fileURLToPath(new URL('../../repo-server/dist/main.js', import.meta.url));
const place = new Workplace();
afterAll(() => place.remove());

function program(name: string, text: string): string {
  const path = place.file(`bin/${name}`, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

it('serves a directory of the account itself, as the client asks for it over ssh', async () => {
  // In the place of ssh: runs the command that the other side's shell would get, here.
  program('cairn', `exec '${process.execPath}' '${MAIN}' "$@"`);
  const ssh = program('ssh', `for command; do :; done; PATH='${place.path('bin')}':"$PATH" exec sh -c "$command"`);
  const directory = place.path("it's a place", 'repo');
  mkdirSync(join(directory, '..'));
  place.good(['init', '-r', directory, '--key-file', place.path('root.key')]);
  const address = `ssh://me@example.org${encodeURI(directory)}`;
  const store = openSshStore({ address, program: ssh });
  expect((await store.get({ kind: 'config', name: 'config' })).length).toBeGreaterThan(50);
  const key = { kind: 'keys', name: '1'.repeat(32) } as const;
  await store.put(key, new Uint8Array(10));
  await store.delete(key);
  await store[Symbol.asyncDispose]();

  const absent = openSshStore({ address: `${address}/nothing`, program: ssh });
  await expect(absent.get(key)).rejects.toThrow(/says: cairn: there is no repository in .*nothing/);
  await absent[Symbol.asyncDispose]();
});

it('makes a repository over ssh, backs up into it and restores', () => {
  program('cairn', `exec '${process.execPath}' '${MAIN}' "$@"`);
  const ssh = program('ssh', `for command; do :; done; PATH='${place.path('bin')}':"$PATH" exec sh -c "$command"`);
  const file = place.file('source/note.txt', 'over ssh');
  const env = { CAIRN_SSH: ssh, CAIRN_REPOSITORY: `ssh://me@example.org${place.path('remote')}` };
  place.good(['init', '--key-file', place.path('remote.key')], { env });
  place.good(['backup', '--key-file', place.path('remote.key'), place.path('source')], { env });
  expect(place.good(['cat', '--key-file', place.path('remote.key'), 'latest', file], { env })).toBe('over ssh');
});

it('keeps a repository for machines that come with a token', async () => {
  place.file(
    'main.toml',
    [
      `state = "${place.path('state')}"`,
      '[listen]\naddress = "127.0.0.1:0"',
      `[repositories.main]\npath = "${place.path('main')}"\nreserve = "1 MB"`,
      `[repositories.second]\npath = "${place.path('second')}"\nreserve = "1 MB"`,
    ].join('\n'),
  );
  const config = ['--config', place.path('main.toml')];
  const server = (...args: readonly string[]): string =>
    execFileSync(process.execPath, [SERVER, ...args, ...config], { encoding: 'utf8' });
  server('create', '--repo', 'main');
  server('create', '--repo', 'second');
  const second = place.file(
    'second.token',
    server('client', 'add', 'copier', '--repo', 'second', '--role', 'maintain'),
  );
  const tokens = Object.fromEntries(
    ['maintain', 'append', 'read'].map((role) => {
      return [role, place.file(`${role}.token`, server('client', 'add', role, '--repo', 'main', '--role', role))];
    }),
  );
  const running = place.start(['serve', '--server-file', place.path('main.toml')]);
  const address = await new Promise<string>((resolve, reject) => {
    let said = '';
    running.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      const [, found] = /"address":"([^"]+)"/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    running.once('exit', () => reject(new Error(said)));
  });
  const env = (role: string): Record<string, string> => ({
    CAIRN_REPOSITORY: address,
    CAIRN_CREDENTIALS_FILE: tokens[role] ?? '',
    CAIRN_KEY_FILE: place.path('main.key'),
  });
  const file = place.file('source/note.txt', 'over HTTP');
  expect(place.cairn(['init'], { env: env('append') }).status).toBe(32);
  place.good(['init', '--key-file', place.path('main-2.key')], { env: env('maintain') });
  const withKey = (role: string): { env: Record<string, string> } => ({
    env: { ...env(role), CAIRN_KEY_FILE: place.path('main-2.key') },
  });
  place.good(['backup', place.path('source')], withKey('append'));
  expect(place.cairn(['cat', 'latest', file], withKey('append')).status).toBe(32);
  expect(place.good(['cat', 'latest', file], withKey('read'))).toBe('over HTTP');
  expect(place.cairn(['delete', 'latest'], withKey('append')).status).toBe(32);
  expect(place.cairn(['list'], { env: { ...withKey('read').env, CAIRN_CREDENTIALS_FILE: '' } }).status).toBe(2);

  const key = place.path('second.key');
  place.good(['init', '--key-file', key], {
    env: { CAIRN_REPOSITORY: address, CAIRN_CREDENTIALS_FILE: second },
  });
  const copy = ['copy', '--to', address, '--to-key-file', key];
  // The token of the source is nothing for the store of the target.
  expect(place.cairn(copy, withKey('read'))).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('--to-credentials-file'),
  });
  place.good([...copy, '--to-credentials-file', second], withKey('read'));
  const there = { env: { CAIRN_REPOSITORY: address, CAIRN_CREDENTIALS_FILE: second, CAIRN_KEY_FILE: key } };
  expect(place.good(['cat', 'latest', file], there)).toBe('over HTTP');
  running.kill();
  await once(running, 'exit');
}, 120_000);

it('says what is wrong with the file of a server', () => {
  const file = place.file('server.toml', '[repositories.main]\npath = "relative"\n');
  expect(place.cairn(['serve', '--server-file', file])).toMatchObject({ status: 2 });
  expect(place.cairn(['serve', '--server-file', file, '--repo', 'main']).stderr).toMatch(/--repo goes with --stdio/);
});
