import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';

let place: Workplace;
let source: string;
let env: Record<string, string>;

beforeAll(() => {
  place = new Workplace();
  env = { CAIRN_REPOSITORY: place.path('repo') };
  source = place.path('source');
  place.file('source/letter.txt', 'first draft\n');
  place.file('source/sub/data.bin', Buffer.alloc(300_000, 'abc'));
  place.file('source/sub/film.iso', 'large');
  symlinkSync('letter.txt', place.path('source', 'link'));
  place.good(['init'], { env });
});

afterAll(() => place.remove());

function latest(): string {
  const [archive] = place.json<{ name: string }[]>(['list', '--last', '1'], { env });
  return archive?.name ?? '';
}

/** The directories above a source are entries too, and others change their times while this runs: a few small trees. */
const ANCESTOR_BYTES = 4096;

describe('a repository from one end to the other', () => {
  it('is made once, with a key that is readable for its owner only', () => {
    const again = place.cairn(['init'], { env });
    expect(again).toMatchObject({ status: 13, stdout: '' });
    expect(again.stderr).toContain('there is a repository');
    const keys = readdirSync(place.path('home', '.config', 'cairn', 'keys'));
    expect(keys).toHaveLength(1);
  });

  it('backs up, and a second time reads and stores nothing', () => {
    const first = place.json(['backup', '--series', 'home', '--exclude', '*.iso', source], { env });
    expect(first).toMatchObject({ complete: true, files: 2, excluded: 1, unchanged_files: 0 });
    const second = place.json<{ new_bytes: number; archive: unknown }>(
      ['backup', '--series', 'home', '--exclude', '*.iso', source],
      {
        env,
      },
    );
    expect(second).toMatchObject({ files: 2 });
    expect(second.new_bytes).toBeLessThan(ANCESTOR_BYTES);
    expect(second.archive).toMatchObject({ series: 'home', parent: (first['archive'] as { id: string }).id });
  });

  it('does not read files that are older than the last backup', () => {
    // Files made just now are read again: their times could not tell a change in the same moment.
    const old = fileURLToPath(new URL('../../../node_modules/commander', import.meta.url));
    const first = place.json<{ files: number }>(['backup', '--series', 'old', old], { env });
    const second = place.json<{ new_bytes: number }>(['backup', '--series', 'old', old], { env });
    expect(second).toMatchObject({ unchanged_files: first.files });
    expect(second.new_bytes).toBeLessThan(ANCESTOR_BYTES);
  });

  it('stores nothing with --dry-run', () => {
    const before = latest();
    expect(place.good(['backup', '--dry-run', source], { env })).toContain('Nothing is stored');
    expect(latest()).toBe(before);
  });

  it('takes relative paths, the paths as they really are', () => {
    mkdirSync(place.path('elsewhere'));
    symlinkSync('../source', place.path('elsewhere', 'way'));
    place.good(['backup', '--series', 'relative', 'way/sub/'], { env, cwd: place.path('elsewhere') });
    const names = place
      .good(['ls', 'relative@latest', `${source}/sub`], { env })
      .trimEnd()
      .split('\n');
    expect(names).toEqual([`${source}/sub/`, `${source}/sub/data.bin`, `${source}/sub/film.iso`]);
  });

  it('takes a path that is not UTF-8, with the bytes that it has', () => {
    const odd = Buffer.concat([Buffer.from(`${place.path()}/od`), Buffer.from([0xe4])]);
    writeFileSync(odd, 'odd');
    // A shell passes bytes; Node.js would encode an argument as UTF-8.
    const script = `exec "$0" "$@" "$(printf '${place.path()}/od\\344')"`;
    const prefix = ['sh', '-c', script];
    place.good(['backup', '--series', 'odd'], { env, prefix });
    expect(place.good(['cat', 'odd@latest'], { env, prefix })).toBe('odd');
  });

  it('lists and searches archives', () => {
    const table = place.good(['list', '--series', 'home'], { env });
    expect(table.split('\n')[0]).toMatch(/^archive +id +started +files +size +added$/);
    expect(table.match(/^home-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ/gm)).toHaveLength(2);
    const found = place.good(['find', 'letter.txt', '--series', 'home'], { env });
    expect(found.match(/letter\.txt/g)).toHaveLength(2);
    const nothing = place.cairn(['find', 'letters.txt'], { env });
    expect(nothing).toMatchObject({ status: 0, stdout: '', stderr: 'Nothing was found.\n' });
    expect(place.good(['find', 'sub/', '-a', 'home@latest', '-l'], { env })).toMatch(/drwx.* \S+\/source\/sub\n/);
  });

  it('lists one level, or all, with details', () => {
    expect(place.good(['ls', 'home@latest', source, '--depth', '1'], { env }).trimEnd().split('\n')).toEqual([
      `${source}/`,
      `${source}/letter.txt`,
      `${source}/link`,
      `${source}/sub/`,
    ]);
    expect(place.good(['ls', 'home@latest', `${source}/link`, '-l'], { env })).toMatch(
      /^lrwxrwxrwx .*link -> letter\.txt$/m,
    );
  });

  it('tells what changed', () => {
    const before = latest();
    place.file('source/letter.txt', 'second draft, longer\n');
    place.file('source/new.txt', 'new\n');
    place.good(['backup', source], { env });
    const lines = place.good(['diff', 'home@latest', 'latest', source], { env }).trimEnd().split('\n');
    expect(lines).toContainEqual(expect.stringMatching(/^M .*letter\.txt {2}\(content, mtime, \+21 B, -12 B\)$/));
    expect(lines).toContainEqual(expect.stringMatching(/^\+ .*new\.txt/));
    expect(latest()).not.toBe(before);
  });

  it('restores all, one path, what matches, and one file to standard output', () => {
    place.good(['restore', 'latest', '--to', place.path('all')], { env });
    expect(readFileSync(place.path('all', source, 'letter.txt'), 'utf8')).toBe('second draft, longer\n');
    place.good(['restore', 'home@latest', '--to', place.path('one'), `${source}/letter.txt`], { env });
    expect(readFileSync(place.path('one', source, 'letter.txt'), 'utf8')).toBe('first draft\n');
    expect(readdirSync(place.path('one', source))).toEqual(['letter.txt']);
    const strip = ['--include', '*.bin', '--strip-components', String(source.split('/').length - 1)];
    place.good(['restore', 'latest', '--to', place.path('some'), ...strip], { env });
    expect(readFileSync(place.path('some', 'sub', 'data.bin'))).toEqual(Buffer.alloc(300_000, 'abc'));
    expect(place.good(['cat', 'latest', `${source}/letter.txt`], { env })).toBe('second draft, longer\n');
  });

  it('does not restore over what is there, unless beside it', () => {
    const again = place.cairn(['restore', 'latest', '--to', place.path('all')], { env });
    expect(again.status).toBe(41);
    const beside = place.cairn(['restore', 'latest', '--to', place.path('all'), '--into-non-empty'], { env });
    expect(beside.status).toBe(3);
    expect(beside.stderr).toMatch(/^exists: .*letter\.txt/m);
  });

  it('is found to be whole', () => {
    expect(place.good(['check', '--data'], { env })).toContain('No damage was found.');
    expect(place.good(['check', '--data-share', '50%', '--no-headers', '--no-record', '--quiet'], { env })).toContain(
      'No damage',
    );
  });

  it('never holds itself', () => {
    const inside = place.cairn(['backup', place.path('repo')], { env });
    expect(inside).toMatchObject({ status: 2, stdout: '' });
    const { stderr } = place.cairn(['backup', '--series', 'around', place.directory], { env });
    expect(stderr).toContain(`excluded: ${place.path('repo')}: Cairn keeps its own data there`);
    const names = place.good(['ls', 'around@latest', place.directory, '--depth', '1'], { env });
    expect(names).toContain(place.path('source'));
    expect(names).not.toContain(place.path('repo'));
  });

  it('shows damage, and says what to do', () => {
    const packs = place.path('repo', 'packs');
    const [folder = ''] = readdirSync(packs);
    const [name = ''] = readdirSync(`${packs}/${folder}`);
    const bytes = readFileSync(`${packs}/${folder}/${name}`);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(`${packs}/${folder}/${name}`, bytes);
    const { status, stdout, stderr } = place.cairn(['check', '--data'], { env });
    expect(status).toBe(20);
    expect(stdout).toContain('There is damage');
    expect(stderr).toContain(`error: packs/${name}`);
  });
});
