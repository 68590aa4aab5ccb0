import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';

let place: Workplace;
let env: Record<string, string>;
/** Names that are no words: with a line feed, and one that is not UTF-8. */
const NAMES = [Buffer.from('a\nb'), Buffer.from([0x6e, 0xff])];

beforeAll(() => {
  place = new Workplace();
  env = { CAIRN_REPOSITORY: place.path('repo') };
  place.good(['init'], { env });
  place.file('source/plain', 'content');
  for (const name of NAMES) writeFileSync(Buffer.concat([Buffer.from(`${place.path('source')}/`), name]), name);
  place.good(['backup', place.path('source'), '--series', 'small'], { env });
});
afterAll(() => place.remove());

describe('cairn tar', () => {
  it('gives tar what it needs, and takes it back', () => {
    const file = place.path('all.tar');
    place.good(['tar', 'export', 'latest', '--output', file], { env });
    const target = place.path('unpacked');
    mkdirSync(target);
    execFileSync('tar', ['-xf', file, '-C', target]);
    execFileSync('diff', ['-r', place.path('source'), join(target, place.path('source'))]);
    place.good(['tar', 'import', '--series', 'again', file], { env });
    place.good(['tar', 'export', 'again@latest', '--output', place.path('second.tar')], { env });
    expect(readFileSync(place.path('second.tar')).equals(readFileSync(file))).toBe(true);
  });

  it('leaves a file alone that is there already, and makes none when it fails', () => {
    const file = place.file('there.tar', 'mine');
    const refused = place.cairn(['tar', 'export', 'latest', '--output', file], { env });
    expect(refused).toMatchObject({ status: 42, stdout: '' });
    expect(readFileSync(file, 'utf8')).toBe('mine');
    const missing = place.cairn(['tar', 'export', 'latest', '/nothing', '--output', place.path('none.tar')], { env });
    expect(missing.status).toBe(15);
    expect(existsSync(place.path('none.tar'))).toBe(false);
  });

  it('makes none when it breaks off in the middle', () => {
    place.file('source/large', Buffer.alloc(200_000, 'large'));
    place.good(['backup', place.path('source'), '--series', 'large'], { env });
    const file = place.path('half.tar');
    // No file may grow above 64 KiB here.
    const prefix = ['sh', '-c', `trap '' XFSZ; ulimit -f 128; exec "$@"`, 'sh'];
    const { status, stderr } = place.cairn(['tar', 'export', 'large@latest', '--output', file], { env, prefix });
    expect(status).toBe(42);
    expect(stderr).toContain('EFBIG');
    expect(existsSync(file)).toBe(false);
    place.good(['tar', 'export', 'large@latest', '--output', file], { env });
  });

  it('stores nothing of a tar file that was cut off', () => {
    const cut = place.path('cut.tar');
    writeFileSync(cut, readFileSync(place.path('all.tar')).subarray(0, 2_000));
    const before = place.json<unknown[]>(['list'], { env }).length;
    expect(place.cairn(['tar', 'import', cut], { env }).status).toBe(45);
    expect(place.json<unknown[]>(['list'], { env })).toHaveLength(before);
  });
});
