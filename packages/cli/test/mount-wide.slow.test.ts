import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';
import { Mounted, sh } from './support/mounted.ts';

const ENTRIES = 100_000;
const LARGE_BYTES = 320 * 1024 * 1024;
/** What a mount with two threads may take, MiB, whatever it shows. */
const MOST_MEMORY = 200;

const isRoot = process.geteuid?.() === 0;
let place: Workplace;
let source: string;

beforeAll(() => {
  if (!isRoot) return;
  place = new Workplace();
  source = place.path('source');
  mkdirSync(source);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2g', 'tmpfs', source]);
  mkdirSync(`${source}/wide`);
  for (let i = 0; i < ENTRIES; i++) writeFileSync(`${source}/wide/${i}`, i % 1000 === 0 ? `${i}` : '');
  const large = openSync(`${source}/large`, 'w');
  // 64-bit numbers that count up, so that every place of it says where it is.
  const piece = new BigUint64Array(128 * 1024);
  for (let at = 0; at < LARGE_BYTES; at += piece.byteLength) {
    for (let i = 0; i < piece.length; i++) piece[i] = BigInt(at / 8 + i) * 0x9e37_79b9_7f4a_7c15n;
    writeSync(large, piece);
  }
  closeSync(large);
  place.good(['init', '-r', place.path('repo')]);
  place.good(['backup', '-r', place.path('repo'), source]);
});

afterAll(() => {
  if (!isRoot) return;
  execFileSync('umount', [source]);
  place.remove();
});

describe.runIf(isRoot)('a large archive, mounted', () => {
  it(`shows ${ENTRIES} entries of a directory and a file larger than its memory, in bounds`, async () => {
    await using mounted = await Mounted.start(place, 'mnt', ['-r', place.path('repo'), 'latest', '--threads', '2']);
    const root = `${mounted.directory}${source}`;
    expect(
      sh('bash', ['-c', 'ls -lU wide | wc -l; find wide -type f -size +0 | wc -l'], { cwd: root }).split('\n'),
    ).toEqual([String(ENTRIES + 1), String(ENTRIES / 1000), '']);
    const names = Array.from({ length: 100 }, (_, i) => `wide/${((i * 37) % 100) * 1000}`);
    expect(sh('cat', names, { cwd: root })).toBe(names.map((name) => name.slice(5)).join(''));
    expect(sh('cmp', [`${root}/large`, `${source}/large`])).toBe('');
    const peak =
      Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${mounted.child.pid}/status`, 'utf8'))?.[1]) / 1024;
    expect(peak).toBeLessThan(MOST_MEMORY);
  });
});
