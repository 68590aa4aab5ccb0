import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  it('is found, repaired as far as can be, and healed by the next backup', () => {
    const [pack = ''] = damage();
    const found = place.cairn(['check', '--data-share', '100%'], { env });
    expect(found.status).toBe(20);
    expect(found.stderr).toMatch(/error: packs\/[0-9a-f]{64}: .*: \/.*\/source\/file-/);
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
