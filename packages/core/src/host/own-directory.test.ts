import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { systemEnvironment } from './environment.ts';
import { nameOwnDirectory } from './own-directory.ts';

/** More than a process can have (`PID_MAX_LIMIT` of <linux/threads.h>). */
const NOBODY = 4_194_305;

let parent: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'cairn-own-'));
});
afterEach(() => rmSync(parent, { recursive: true }));

it('names another directory each time, and makes none', async () => {
  const names = [await nameOwnDirectory(parent, 'packs', systemEnvironment.random)];
  names.push(await nameOwnDirectory(parent, 'packs', systemEnvironment.random));
  expect(new Set(names).size).toBe(2);
  for (const name of names) expect(basename(name)).toMatch(new RegExp(`^packs-${process.pid}-[0-9a-f]{12}$`));
  expect(readdirSync(parent)).toEqual([]);
});

it('removes those of processes that died, and nothing else', async () => {
  const others = [`packs-${process.pid}-0123456789ab`, 'packs-1', `other-${NOBODY}-0123456789ab`];
  for (const name of [...others, `packs-${NOBODY}-0123456789ab`])
    mkdirSync(join(parent, name, 'full'), { recursive: true });
  await nameOwnDirectory(parent, 'packs', systemEnvironment.random);
  expect(readdirSync(parent).toSorted()).toEqual(others.toSorted());
});

it('is no error where nothing can be', async () => {
  expect(await nameOwnDirectory(join(parent, 'absent'), 'packs', systemEnvironment.random)).toContain('absent/packs-');
});
