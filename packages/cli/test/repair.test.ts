import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';

let place: Workplace;
let env: Record<string, string>;
beforeAll(() => {
  place = new Workplace();
  env = { CAIRN_REPOSITORY: place.path('repo') };
  for (let i = 0; i < 3; i++) place.file(`source/file-${i}`, `${i}\n`.repeat(5000));
  place.good(['init'], { env });
  place.good(['backup', place.path('source')], { env });
});
afterAll(() => place.remove());

/** Flips the first byte after the header of each data pack (format page, section 4.4): the beginning of a chunk. */
function damage(): string[] {
  const packs = readdirSync(place.path('repo', 'packs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\/[0-9a-f]{64}$/.test(name))
    .map((name) => join(place.path('repo', 'packs'), name))
    .filter((path) => readFileSync(path)[5] === 1);
  for (const path of packs) {
    const bytes = readFileSync(path);
    const at = 48 + 48 * bytes.readUInt16LE(40) + bytes.readUInt32LE(44);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  }
  return packs;
}

describe('damage, on the command line', () => {
  it('of the archive that a backup compares with is told by the backup, and so is a cache that cannot be', () => {
    const own = { CAIRN_REPOSITORY: place.path('own'), CAIRN_CACHE_DIRECTORY: place.path('own-cache') };
    place.good(['init'], { env: own });
    place.good(['backup', place.path('source')], { env: own });
    rmSync(place.path('own-cache'), { recursive: true });
    expect(place.cairn(['backup', place.path('source')], { env: own })).toMatchObject({ status: 0, stderr: '' });
    rmSync(place.path('own-cache'), { recursive: true });
    rmSync(place.path('own', 'packs'), { recursive: true });
    mkdirSync(place.path('own', 'packs'));
    const blind = place.cairn(['backup', place.path('source')], { env: own });
    expect(blind.stderr).toMatch(/warning: a part of \S+ cannot be read: packs\/\S+ is absent .*`cairn check`/);
    place.file('no-directory', '');
    const uncached = { ...own, CAIRN_CACHE_DIRECTORY: place.path('no-directory') };
    expect(place.cairn(['backup', place.path('source')], { env: uncached }).stderr).toContain(
      'warning: the cache of trees cannot be read: ENOTDIR',
    );
  });

  it('is found, repaired as far as can be, and healed by the next backup', () => {
    const [pack = ''] = damage();
    const found = place.cairn(['check', '--data-share', '100%'], { env });
    expect(found.status).toBe(20);
    expect(found.stderr).toMatch(/error: packs\/[0-9a-f]{64}: .*: \/.*\/source\/file-/);
    const lines = found.stderr.split('\n').filter((line) => line.startsWith('       '));
    expect(lines).toEqual([...new Set(lines)]);
    expect(found.stdout).toContain('1 path in 1 archive');

    const plan = place.cairn(['repair', '--dry-run'], { env });
    expect(plan).toMatchObject({ status: 3 });
    expect(plan.stdout).toContain('This would be done:');
    const before = readFileSync(pack);
    const repaired = place.cairn(['repair'], { env });
    expect(repaired.status).toBe(3);
    expect(repaired.stdout).toContain('Repaired, as far as can be.');
    expect(repaired.stderr).toContain('1 chunk lost');
    expect(readFileSync(pack).equals(before)).toBe(true);

    place.good(['backup', place.path('source')], { env });
    expect(place.good(['check', '--data'], { env })).toContain('No damage was found.');
    place.good(['restore', 'latest', '--to', place.path('out')], { env });
    const restored = join(place.path('out'), place.path('source'), 'file-1');
    expect(existsSync(restored) && readFileSync(restored, 'utf8')).toBe('1\n'.repeat(5000));
  });

  it('is refused where nothing can be told apart any more, with a word on what to do', () => {
    const config = place.path('repo', 'config');
    const bytes = readFileSync(config);
    writeFileSync(config, Buffer.concat([bytes.subarray(0, -1), Buffer.of((bytes.at(-1) ?? 0) ^ 1)]));
    const { status, stderr } = place.cairn(['repair'], { env });
    expect([status, stderr]).toEqual([20, expect.stringContaining('another copy of the store')]);
    writeFileSync(config, bytes);
  });
});

describe('a log whose newest entry is damaged', () => {
  const log = (): string[] => readdirSync(place.path('torn', 'log')).toSorted();
  let own: Record<string, string>;
  beforeAll(() => {
    own = { CAIRN_REPOSITORY: place.path('torn') };
    place.good(['init', '--key-file', place.path('torn.key')], { env: own });
    own['CAIRN_KEY_FILE'] = place.path('torn.key');
    for (const round of [1, 2, 3]) {
      place.file('torn-source/changing', `round ${round} `.repeat(10_000));
      place.good(['backup', place.path('torn-source'), '--series', `round-${round}`], { env: own });
    }
  });

  it('is refused, and set aside when that is asked for', () => {
    const before = log();
    const newest = place.path('torn', 'log', before.at(-1) ?? '');
    const whole = readFileSync(newest);
    writeFileSync(newest, whole.subarray(0, 150));
    const refused = place.cairn(['list'], { env: own });
    expect(refused).toMatchObject({ status: 20 });
    expect(refused.stderr).toContain('cairn repair --log');
    expect(place.cairn(['repair'], { env: own })).toMatchObject({ status: 20 });

    const planned = place.cairn(['repair', '--log', '--dry-run', '--json'], { env: own });
    expect(planned.status, planned.stderr).toBe(3);
    expect(JSON.parse(planned.stdout)).toMatchObject({ dry_run: true, log_entry: { seq: 3, bytes: 150, seen: true } });
    expect(log()).toEqual(before);

    const repaired = place.cairn(['repair', '--log'], { env: own });
    expect(repaired.status, repaired.stderr).toBe(3);
    expect(repaired.stderr).toContain('what it decided is lost');
    expect(log()).toEqual(before.slice(0, 2));
    const [aside = ''] = readdirSync(place.path('torn', 'tmp')).filter((name) => name.startsWith('aside-'));
    expect(readFileSync(place.path('torn', 'tmp', aside)).equals(whole.subarray(0, 150))).toBe(true);

    const listed = place.json<{ series: string }[]>(['list'], { env: own });
    expect(listed.map(({ series }) => series)).toEqual(['round-1', 'round-2']);
    place.good(['restore', 'round-2@latest', '--to', place.path('round-2')], { env: own });
    const restored = join(place.path('round-2'), place.path('torn-source'), 'changing');
    expect(readFileSync(restored, 'utf8')).toBe('round 2 '.repeat(10_000));
    // What the lost archive had is there still: the next backup stores no content again.
    const again = place.json<{ new_bytes: number }>(['backup', place.path('torn-source')], { env: own });
    expect(again.new_bytes).toBeLessThan(10_000);
    expect(place.good(['check', '--data'], { env: own })).toContain('No damage was found.');
    expect(place.good(['repair', '--log'], { env: own })).toContain('There is nothing to repair.');
  });

  it('is another thing than one in the middle', () => {
    const before = log();
    const middle = place.path('torn', 'log', before[1] ?? '');
    const whole = readFileSync(middle);
    writeFileSync(middle, whole.subarray(0, 150));
    const { status, stderr } = place.cairn(['repair', '--log'], { env: own });
    expect([status, stderr]).toEqual([20, expect.stringContaining('another copy of the store')]);
    expect(log()).toEqual(before);
    writeFileSync(middle, whole);
  });
});

describe('cairn copy', () => {
  it('copies archives once, into a repository with other keys', () => {
    const second = place.path('second');
    place.good(['init', '-r', second, '--key-file', place.path('second.key')]);
    const to = ['--to', second, '--to-key-file', place.path('second.key')];
    expect(place.good(['copy', ...to, '--latest'], { env })).toContain('copied  1 archive');
    expect(place.good(['copy', ...to], { env })).toMatch(/copied +1 archive\n +present +1 archive/);
    const keys = ['-r', second, '--key-file', place.path('second.key')];
    expect(place.good(['check', '--data', ...keys])).toContain('No damage was found.');
    place.good(['restore', 'latest', '--to', place.path('copied'), ...keys]);
    const restored = join(place.path('copied'), place.path('source'), 'file-2');
    expect(readFileSync(restored, 'utf8')).toBe('2\n'.repeat(5000));
  });

  it('says what is wrong with a target', () => {
    expect(place.cairn(['copy', '--to', place.path('repo')], { env })).toMatchObject({ status: 2 });
    expect(place.cairn(['copy', '--to', place.path('nothing')], { env })).toMatchObject({ status: 10 });
    expect(place.cairn(['copy'], { env })).toMatchObject({ status: 2 });
  });
});
