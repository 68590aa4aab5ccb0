import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Seeded } from '@cairn/core/testing';

import { SharedRepository } from './support/killable.ts';

/** More by `CAIRN_ROUNDS=1000`, others by `CAIRN_SEED=…`. */
const ROUNDS = Number(process.env['CAIRN_ROUNDS'] ?? 30);
const SEED = process.env['CAIRN_SEED'] ?? 'restored';
const ROUND_MS = 10_000;
const FILES = 400;
const LARGE_BYTES = 24 * 1024 * 1024;

let repository: SharedRepository;
let random: Seeded;
beforeEach(() => {
  repository = new SharedRepository();
  random = new Seeded(SEED);
});
afterEach(() => repository.remove());

/** Names and contents of all that is below a directory, with kind, mode and mtime. */
function treeOf(directory: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted()) {
    const path = join(directory, name);
    const status = lstatSync(path, { bigint: true });
    const content = status.isFile() ? readFileSync(path).toString('latin1') : '';
    found.set(name, `${status.mode} ${status.isFile() ? status.mtimeNs : ''} ${content.length} ${content}`);
  }
  return found;
}

function makeSource(): string {
  const source = repository.source('web');
  mkdirSync(join(source, 'many'), { recursive: true });
  for (let i = 0; i < FILES; i++) writeFileSync(join(source, 'many', `${i}`), random.bytes(1 + random.below(30_000)));
  writeFileSync(join(source, 'large'), random.bytes(LARGE_BYTES));
  writeFileSync(join(source, 'empty'), '');
  return source;
}

/** Makes the target differ from the archive in every way that a restore sets right. */
function disturb(target: string): void {
  const many = join(target, 'many');
  for (const name of readdirSync(many)) {
    const what = random.below(6);
    if (what < 2) writeFileSync(join(many, name), random.bytes(1 + random.below(30_000)));
    else if (what === 2) rmSync(join(many, name));
    else if (what === 3) utimesSync(join(many, name), 1_000_000_000, 1_000_000_000);
  }
  const large = readFileSync(join(target, 'large'));
  const at = random.below(LARGE_BYTES / 2);
  large.set(random.bytes(1 + random.below(LARGE_BYTES / 4)), at);
  writeFileSync(join(target, 'large'), large);
  writeFileSync(join(target, 'extra'), 'in the way');
}

describe('cairn restore --in-place', () => {
  it(
    `is killed at any moment; once more, it completes and verifies (seed "${SEED}", ${ROUNDS} rounds)`,
    { timeout: 120_000 + ROUNDS * ROUND_MS },
    async () => {
      const source = makeSource();
      const backup = ['backup', source, '--series', 'web', '--threads', '0'];
      expect(await repository.run(backup)).toMatchObject({ status: 0 });
      const wanted = treeOf(source);
      const root = repository.place.path('target');
      const target = join(root, source);
      mkdirSync(target, { recursive: true });
      cpSync(source, target, { recursive: true, preserveTimestamps: true });
      const restore = ['restore', 'web@latest', '--in-place', '--to', root, '--delete'];
      disturb(target);
      let started = performance.now();
      expect(await repository.run(restore)).toMatchObject({ status: 0 });
      let wholeMs = performance.now() - started;
      expect(treeOf(target)).toEqual(wanted);
      let killed = 0;
      for (let round = 0; round < ROUNDS; round++) {
        disturb(target);
        started = performance.now();
        // Before it has read the log a restore can hurt nothing.
        const ended = await repository.run(restore, wholeMs * 0.3 + random.below(Math.ceil(wholeMs * 0.6)));
        if (ended === undefined) killed += 1;
        else {
          expect(ended.status, ended.stderr).toBe(0);
          wholeMs = performance.now() - started;
        }
        const again = await repository.run([...restore, '--verify']);
        expect(again?.status, again?.stderr).toBe(0);
        const got = treeOf(target);
        expect([...got.keys()], `round ${round}`).toEqual([...wanted.keys()]);
        for (const [name, content] of wanted) expect(got.get(name) === content, `${name}, round ${round}`).toBe(true);
      }
      expect(killed).toBeGreaterThan(ROUNDS / 5);
      expect(await repository.run(['check', '--data'])).toMatchObject({ status: 0 });
    },
  );
});
