import { describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { fromUtf8 } from '../host/byte-path.ts';
import { ExcludeRules } from './exclude.ts';
import { parsePattern } from './pattern.ts';

function matches(pattern: string, path: string, isDirectory = false): boolean {
  return new ExcludeRules([{ pattern, origin: 'option' }]).decide(fromUtf8(path), isDirectory).excluded;
}

describe('the default style', () => {
  it.each([
    ['/home/a', '/home/a', true],
    ['/home/a', '/srv/home/a', false],
    ['/home/a', '/home/a/b', false], // Never asked: an excluded directory is not entered.
    ['home/a', '/srv/home/a', true],
    ['home/a', '/home/a', true],
    ['home/a', '/srv/myhome/a', false],
    ['a//b', '/x/a/b', true],
    ['.cache', '/home/a/.cache', true],
    ['.cache', '/home/a/x.cache', false],
    ['*.o', '/x/file.o', true],
    ['*.o', '/x/.o', true],
    ['*.o', '/x/file.od', false],
    ['*.tar.gz', '/x/a.tar.gz', true],
    ['*.tar.gz', '/x/a.zip.gz', false],
    ['*~', '/x/a~', true],
    ['/home/*/junk', '/home/a/junk', true],
    ['/home/*/junk', '/home/a/b/junk', false],
    ['/home/**/junk', '/home/a/b/junk', true],
    ['/home/**/junk', '/home/junk', true],
    ['/proc/*', '/proc', false],
    ['/proc/*', '/proc/1', true],
    ['/a/**', '/a', false],
    ['/a/**', '/a/b/c', true],
    ['a**b', '/x/aXYb', true],
    ['a**/b', '/a/x/b', false],
    ['**', '/x', true],
    ['?', '/é', true],
    ['?', '/😀', true],
    ['[äö]x', '/öx', true],
    ['[!äö]x', '/öx', false],
    ['\\*', '/*', true],
    ['\\*', '/a', false],
    ['a[*]', '/a*', true],
    ['\\!a', '/!a', true],
    ['\\#a', '/#a', true],
    ['\\sh:a', '/sh:a', true],
    ['a\\ ', '/a ', true],
    ['/größe/ä', '/größe/ä', true],
    ['*.ä', '/x.ä', true],
    ['[[:digit:][:upper:]]', '/7', true],
    ['[[:digit:][:upper:]]', '/x', false],
  ])('%s, %s: %s', (pattern, path, expected) => {
    expect(matches(pattern, path)).toBe(expected);
  });

  it('takes bytes that are no UTF-8 as one character each', () => {
    const rules = new ExcludeRules([{ pattern: 'a?b', origin: 'option' }]);
    expect(rules.decide('/a\xffb', false).excluded).toBe(true);
    expect(rules.decide('/a\xff\xffb', false).excluded).toBe(false);
  });

  it('matches only directories with a slash at the end', () => {
    for (const pattern of ['a/', '/x/a/', 'x/a/', '[a]/', '/x/**/']) {
      expect([pattern, matches(pattern, '/x/a', true)]).toEqual([pattern, true]);
      expect([pattern, matches(pattern, '/x/a', false)]).toEqual([pattern, false]);
    }
  });
});

/** Answers recorded from Borg 1.2.4, where the path has no leading slash. */
describe('the styles of Borg', () => {
  it.each([
    ['fm:*.o', '/a/b.o', true],
    ['fm:home/*/junk', '/home/a/b/junk', true],
    ['fm:home/*/junk', '/home/a/b/junk/x', true],
    ['fm:home/*/junk', '/srv/home/a/junk', false],
    ['fm:/home/*/junk', '/home/a/junk', true],
    ['fm:home/a/', '/home/a', false],
    ['fm:home/a/', '/home/a/b', true],
    ['fm:home/a', '/home/ab', false],
    ['fm:a[', '/a[', true],
    ['fm:a[!/]b', '/a/b', false],
    ['fm:a[/]b', '/a/b', true],
    ['fm:a\\*', '/a\\x', true],
    ['fm:[!]a]', '/]', false],
    ['fm:[]a]', '/]', true],
    ['fm:[^a]', '/^', true],
    ['fm:a/../b', '/b', true],
    ['sh:home/*/.cache', '/home/a/.cache', true],
    ['sh:home/*/.cache', '/home/a/.cache/x/y', true],
    ['sh:home/*/.cache', '/home/a/b/.cache', false],
    ['sh:home/**/.cache', '/home/a/b/.cache', true],
    ['sh:home/**/.cache', '/home/.cache', true],
    ['sh:**/*.o', '/a/b/c.o', true],
    ['sh:**/*.o', '/c.o', true],
    ['sh:a**/b', '/ab', true],
    ['sh:a**/b', '/ax/y/b', true],
    ['sh:a**b', '/axyb', true],
    ['sh:a**b', '/ax/yb', false],
    ['sh:home/a/', '/home/a', false],
    ['sh:home/a/', '/home/a/b/c', true],
    ['sh:/home/a', '/home/a', true],
    ['sh:a?c', '/a/c', false],
    ['sh:a[!b]c', '/a/c', true],
    ['re:\\.tmp$', '/a/b.tmp', true],
    ['re:^home/[^/]+\\.tmp/', '/home/x.tmp/y', true],
    ['re:^home/[^/]+\\.tmp/', '/srv/home/x.tmp/y', false],
    ['re:/cache', '/cache', false],
    ['re:[^/]', '/a', true],
    ['pp:home/a', '/home/a', true],
    ['pp:home/a', '/home/a/b', true],
    ['pp:home/a', '/home/ab', false],
    ['pp:/home/a/', '/home/a', true],
    ['pp:home/*', '/home/a', false],
    ['pf:home/a', '/home/a', true],
    ['pf:/home/a', '/home/a', true],
    ['pf:home/a', '/home/a/b', false],
  ])('%s, %s: %s', (pattern, path, expected) => {
    expect(matches(pattern, path, true)).toBe(expected);
  });

  it('lets an expression for paths with a leading slash have it', () => {
    expect(matches('re:^/home/[^/]+$', '/home/a')).toBe(true);
    expect(matches('re:(^/etc|^/home)/a$', '/home/a')).toBe(true);
    expect(matches('re:\\A\\/home', '/home/a')).toBe(true);
    expect(matches('re:^/home', '/srv/home')).toBe(false);
  });

  it('re-includes with any style', () => {
    expect(parsePattern({ pattern: '!re:x', origin: 'option' }).isReinclude).toBe(true);
  });
});

describe('parsePattern', () => {
  it.each([
    ['', 'it is empty'],
    ['!', 'it is empty'],
    ['sh:', 'it is empty'],
    ['/', 'it names the root, so nothing would be left'],
    ['pp:/', 'it names the root, so nothing would be left'],
    ['sh:/', 'it names the root, so nothing would be left'],
    ['a\0', 'no path holds a NUL character'],
    ['./a', 'it never matches: paths are absolute and have no `.` or `..` in them'],
    ['a/../b', 'it never matches: paths are absolute and have no `.` or `..` in them'],
    ['a[b', 'there is a `[` without its `]`'],
    ['a[b/c]', 'there is a `[` without its `]`'],
    ['[', 'there is a `[` without its `]`'],
    ['[a\\', 'there is a `[` without its `]`'],
    ['[z-a]', 'a range in `[…]` is not from a lower to a higher character'],
    ['fm:[z-a]', 'a range in `[…]` is not from a lower to a higher character'],
    ['[[:constructor:]]', 'there is no class of characters `[:constructor:]`'],
    ['a\\', 'a `\\` has nothing after it to stand for'],
    ['re:(', 'there is a `(` without its `)`'],
    ['rx:a', '`rx:` is not a style'],
  ])('refuses %j', (pattern, problem) => {
    expect(() => parsePattern({ pattern, origin: 'file /etc/x line 7' })).toThrow(
      `pattern \`${pattern}\` (file /etc/x line 7): ${problem}`,
    );
  });

  it('rejects with USAGE', () => {
    let error: unknown;
    try {
      parsePattern({ pattern: '[', origin: 'option' });
    } catch (caught) {
      error = caught;
    }
    expect(isCairnError(error, 'USAGE')).toBe(true);
  });
});
