import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';

let place: Workplace;
let env: Record<string, string>;
let names: string[];

beforeAll(() => {
  place = new Workplace();
  env = { CAIRN_REPOSITORY: place.path('repo') };
  place.good(['init'], { env });
  for (const content of ['first', 'second', 'third']) {
    place.file('source/file', content);
    place.good(['backup', '--series', 'web', place.path('source')], { env });
    // Two that are made within a second have names that begin alike.
    place.good(['rename', 'latest', `web-${content}`], { env });
  }
  names = place.json<{ name: string }[]>(['list'], { env }).map(({ name }) => name);
});

afterAll(() => place.remove());

const name = (i: number): string => names[i] ?? '';
const listed = (...args: readonly string[]): string[] =>
  place.json<{ name: string }[]>(['list', ...args], { env }).map((archive) => archive.name);

describe('deleting and bringing back', () => {
  it('tells what it would do, and does not do it', () => {
    const would = place.cairn(['delete', '--dry-run', name(0), name(1)], { env });

    expect(would.stdout).toMatch(/^Would delete 2 archives:\n {2}web-\S+ \([0-9a-f]{8}\)\n {2}web-/);
    expect(listed()).toEqual(names);
  });

  it('hides several at once, and tells until when that can be undone', () => {
    const { stdout, stderr, status } = place.cairn(['delete', name(0), name(1)], { env });
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Deleted 2 archives:\n/);
    expect(stderr).toMatch(/^`cairn undelete` brings them back until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d at least\.\n$/);
    expect(listed()).toEqual([name(2)]);
    place.good(['undelete', name(0)], { env });
    const together = ['bash', '-c', '"$0" "$@" 2>&1'];
    // On a terminal, and in a mail of cron, what is told stands where it was told.
    expect(place.good(['delete', name(0)], { env, prefix: together })).toMatch(
      /^Deleted 1 archive:\n.*\n`cairn undelete`/,
    );
    const table = place.good(['list', '--deleted'], { env });
    expect(table.match(/deleted, kept until \d{4}-\d\d-\d\d/g)).toHaveLength(2);
    expect(place.cairn(['ls', name(0)], { env })).toMatchObject({ status: 15, stdout: '' });
    const again = place.cairn(['delete', name(0)], { env });
    expect(again.status).toBe(15);
    expect(again.stderr).toContain(`\`cairn undelete ${name(0)}\` brings it back`);
  });

  it('brings back what is named, of what is deleted', () => {
    const live = place.cairn(['undelete', name(2)], { env });
    expect(live.status).toBe(15);
    expect(live.stderr).toContain(`${name(2)} is not deleted.`);
    expect(place.good(['undelete', '--dry-run', 'latest'], { env })).toContain(
      `Would bring back 1 archive:\n  ${name(1)}`,
    );
    expect(place.good(['undelete', name(0), 'latest'], { env })).toMatch(/^Brought back 2 archives:/);
    expect(listed()).toEqual(names);
    expect(place.good(['cat', name(0), `${place.path('source')}/file`], { env })).toBe('first');
  });

  it('refuses protected archives with a status of its own', () => {
    expect(place.good(['protect', name(0)], { env })).toMatch(/: protected\n$/);
    const refused = place.cairn(['delete', name(1), name(0)], { env });
    expect(refused).toMatchObject({ status: 17, stdout: '' });
    expect(refused.stderr).toContain(`${name(0)} is protected: nothing is deleted`);
    expect(refused.stderr).toContain(`cairn protect --off ${name(0)}`);
    expect(listed()).toEqual(names);
    place.good(['protect', '--off', name(0)], { env });
  });

  it('refuses a key that only backs up', () => {
    const key = place.path('write.key');
    place.good(['key', 'issue', '--rights', 'write', '--output', key], { env });
    for (const args of [
      ['delete', name(0)],
      ['protect', name(0)],
      ['tag', name(0), '--add', 'x'],
    ]) {
      const refused = place.cairn([...args, '--key-file', key], { env });
      expect(refused).toMatchObject({ status: 12, stdout: '' });
    }
    expect(listed()).toEqual(names);
  });
});

describe('saying something about archives', () => {
  it('renames, comments and tags', () => {
    expect(place.good(['rename', name(0), 'début'], { env })).toMatch(/^début \([0-9a-f]{8}\)\n$/);
    expect(place.good(['comment', 'two\nlines', 'début', name(1)], { env })).toContain('début');
    expect(place.good(['comment', '', name(1)], { env })).toMatch(/: no comment\n$/);
    expect(place.good(['tag', 'début', '--set', 'a', '--set', 'b', '--add', 'c', '--remove', 'a'], { env })).toMatch(
      /: #b #c\n$/,
    );
    const [archive] = place.json<unknown[]>(['list', '--tag', 'c'], { env });
    expect(archive).toMatchObject({ name: 'début', comment: 'two\nlines', tags: ['b', 'c'] });
    expect(place.good(['tag', 'début', '--clear'], { env })).toMatch(/: no tags\n$/);
  });

  it('says what is wrong with a name, a tag or a command line', () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['rename', name(1), 'a/b'], /"a\/b" cannot be the name of an archive/],
      [['rename', name(1), name(2)], /another archive is called web-/],
      [['tag', name(1), '--add', ''], /"" cannot be a tag/],
      [['tag', name(1)], /no change of tags is given/],
      [['delete'], /missing required argument 'archive'/],
    ];
    for (const [args, message] of cases) {
      const refused = place.cairn(args, { env });
      expect(refused, args.join(' ')).toMatchObject({ status: 2, stdout: '' });
      expect(refused.stderr).toMatch(message);
    }
    expect(place.cairn(['delete', 'nothing-of-that-name'], { env }).status).toBe(15);
  });
});

describe('the log', () => {
  it('shows what was decided, the newest last', () => {
    const lines = place.good(['log'], { env }).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^entry +received +kind +what$/);
    expect(lines[1]).toMatch(/^ +1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +COMMIT +début \([0-9a-f]{8}\); \S+@\S+$/);
    // Who deleted it, for no other reason was given.
    expect(lines.find((line) => line.includes('DELETE'))).toMatch(/ DELETE +début .*, web-.*; \S+@\S+$/);
    expect(lines.at(-1)).toMatch(/ ANNOTATE +début \([0-9a-f]{8}\); no tags$/);
  });

  it('is filtered', () => {
    place.good(['delete', name(1), '--reason', 'a test'], { env });
    const deletes = place.good(['log', '--kind', 'delete', '--limit', '1'], { env });
    expect(deletes.trimEnd().split('\n')).toHaveLength(2);
    expect(deletes).toMatch(/; \S+@\S+: a test\n/);
    const about = place.json<{ kind: string }[]>(['log', '--archive', name(2), '--since', '1h'], { env });
    expect(about.map(({ kind }) => kind)).toEqual(['COMMIT', 'ANNOTATE']);
    const none = place.cairn(['log', '--since', '2999-01-01'], { env });
    expect(none).toMatchObject({ status: 0, stdout: '', stderr: 'The log has no such entry.\n' });
  });

  it('says what is wrong with a filter', () => {
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['--kind', 'remove'], 2, /"remove" is no kind of log entry[^]*Kinds are COMMIT, DELETE/],
      [['--since', 'yesterday'], 2, /"yesterday" is no time/],
      [['--limit', '0'], 2, /must be a whole number/],
      [['--archive', 'nothing'], 15, /there is no archive "nothing"/],
    ];
    for (const [args, status, message] of cases) {
      const refused = place.cairn(['log', ...args], { env });
      expect(refused, args.join(' ')).toMatchObject({ status, stdout: '' });
      expect(refused.stderr).toMatch(message);
    }
  });
});

describe('stats', () => {
  it('shows the repository, each archive, a set of them, and growth', () => {
    const table = place.good(['stats'], { env });
    expect(table).toMatch(/^ {2}archives +2, and 1 deleted$/m);
    expect(table).toMatch(/^ {2}only for deleted +\S+ B of it$/m);
    expect(table).toMatch(/^archive +content +frees$/m);
    expect(table).toMatch(/^web-\S+ \([0-9a-f]{8}\) +5 B +\S+ B$/m);
    expect(place.good(['stats', '--if-deleted', 'début', name(2)], { env })).toMatch(
      /^Deleting these would free \S+ \S+, \d+ chunks\.\n$/,
    );
    expect(place.good(['stats', '--growth'], { env })).toMatch(
      /^series +month +archives +added +content\nweb +\d{4}-\d\d +3 /,
    );
    const refused = place.cairn(['stats', '--if-deleted', name(1)], { env });
    expect(refused.status).toBe(15);
  });
});

describe('rewrite', () => {
  it('tells, does, and says in the log what it did', () => {
    const without = ['rewrite', '--exclude', 'file', '--series', 'web'];
    expect(place.good([...without, '--dry-run'], { env })).toMatch(
      /^début \([0-9a-f]{8}\) would be rewritten without 1 file \(5 B\)\n/,
    );
    const done = place.good(['rewrite', '--exclude', 'file', name(2), '--delete-originals'], { env });
    expect(done).toMatch(
      / is rewritten without 1 file \(5 B\)\n {2}as web-\S+\.2 \([0-9a-f]{8}\); the original is deleted\n$/,
    );
    const log = place.good(['log', '--limit', '2'], { env });
    expect(log).toMatch(/ COMMIT +web-\S+\.2 \(\S+\); \S+@\S+; rewritten from web-\S+ \([0-9a-f]{8}\)\n/);
    expect(log).toMatch(/ DELETE +web-\S+ \([0-9a-f]{8}\); \S+@\S+: rewritten\n$/);
    const again = place.cairn(['rewrite', '--exclude', 'file', `${name(2)}.2`], { env });
    expect(again).toMatchObject({ status: 0, stdout: '', stderr: '1 archive had nothing to leave out.\n' });
  });

  it('says what is missing', () => {
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['latest'], 2, /nothing to leave out is given/],
      [['--exclude', 'x'], 2, /archives to rewrite must be given one way/],
      [['--exclude', 'x', '--series', 'web', 'latest'], 2, /archives to rewrite must be given one way/],
      [['--exclude', 'x', '--series', 'nothing'], 15, /there is no archive of the series "nothing"/],
    ];
    for (const [args, status, message] of cases) {
      const refused = place.cairn(['rewrite', ...args], { env });
      expect(refused, args.join(' ')).toMatchObject({ status, stdout: '' });
      expect(refused.stderr).toMatch(message);
    }
  });
});
