import { openSshStore } from '@cairn/core';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

import { MAIN, Workplace } from './support/cairn.ts';

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

it('says what is wrong with the file of a server', () => {
  const file = place.file('server.toml', '[repositories.main]\npath = "relative"\n');
  expect(place.cairn(['serve', '--server-file', file])).toMatchObject({ status: 2 });
  expect(place.cairn(['serve', '--server-file', file, '--repo', 'main']).stderr).toMatch(/--repo goes with --stdio/);
});
