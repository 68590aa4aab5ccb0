import { describe, expect, it } from 'vitest';

import { ENTRY_KIND } from '../tree/entry.ts';
import { explainPath, pathsBetween, type Explanation } from './explain.ts';
import { Selection, type ScannedEntry, type SelectionOptions } from './selection.ts';

/** The chain to a file; each path in `marked` is a directory that holds `.nobackup`. */
function explained(
  options: SelectionOptions,
  source: string,
  path: string,
  marked: readonly string[] = [],
): Explanation {
  const paths = pathsBetween(source, path) ?? [];
  const chain = paths.map((at): ScannedEntry => ({
    path: at,
    kind: at === path ? ENTRY_KIND.file : ENTRY_KIND.directory,
    size: 0,
    device: 1,
    parentDevice: 1,
    hasNodump: () => false,
    probe: (name) => name === '.nobackup' && marked.includes(at),
    readCacheTag: () => undefined,
  }));
  return explainPath(new Selection(options), chain);
}

describe('pathsBetween', () => {
  it.each([
    ['/', '/', ['/']],
    ['/', '/a/b', ['/', '/a', '/a/b']],
    ['/home', '/home', ['/home']],
    ['/home', '/home/a/b', ['/home', '/home/a', '/home/a/b']],
    ['/home', '/homes/a', undefined],
    ['/home/a', '/home', undefined],
  ])('from %s to %s', (source, path, expected) => {
    expect(pathsBetween(source, path)).toEqual(expected);
  });
});

describe('explainPath', () => {
  it('says that no rule matches', () => {
    expect(explained({ excludes: ['x'] }, '/home', '/home/a/b')).toEqual({
      taken: true,
      decidedAt: '/home/a/b',
      decision: { action: 'take' },
      text: '/home/a/b is taken: no rule matches it.',
    });
  });

  it('says that a source is taken whatever the rules are', () => {
    expect(explained({ excludes: ['home'] }, '/home', '/home')).toMatchObject({
      taken: true,
      text: '/home is taken: it is a source.',
    });
    expect(explained({ excludes: ['home'] }, '/home', '/home/a').taken).toBe(true);
  });

  it('names the rule that decides about the path', () => {
    expect(explained({ presets: ['system'] }, '/', '/swapfile')).toMatchObject({
      taken: false,
      decidedAt: '/swapfile',
      text: '/swapfile is left out: rule `/swapfile` from preset system.',
    });
    expect(explained({ excludes: ['*.iso', '!a.iso'] }, '/srv', '/srv/a.iso')).toMatchObject({
      taken: true,
      text: '/srv/a.iso is taken: rule `!a.iso` given as an option.',
    });
  });

  it('names the directory above where it was decided', () => {
    expect(explained({ presets: ['caches'] }, '/home', '/home/a/.cache/x/y')).toMatchObject({
      taken: false,
      decidedAt: '/home/a/.cache',
      text: '/home/a/.cache/x/y is left out, as /home/a/.cache is: rule `/home/*/.cache/` from preset caches.',
    });
  });

  it('tells why a re-including rule has no effect', () => {
    expect(explained({ excludes: ['.cache/', '!keep'] }, '/home', '/home/a/.cache/keep').text).toBe(
      '/home/a/.cache/keep is left out, as /home/a/.cache is: rule `.cache/` given as an option. ' +
        'The rule `!keep` given as an option would take it, but an excluded directory is not entered: re-include that too.',
    );
  });

  it('tells what is kept of a marked directory', () => {
    const options = { excludeIfPresent: ['.nobackup'] };
    expect(explained(options, '/home', '/home/a/b', ['/home/a'])).toMatchObject({
      taken: false,
      decidedAt: '/home/a',
      text: '/home/a/b is left out, as /home/a is taken without what is in it: it holds `.nobackup`.',
    });
    expect(explained(options, '/home', '/home/a/.nobackup', ['/home/a'])).toMatchObject({
      taken: true,
      text: '/home/a/.nobackup is taken: it is the tag of a directory whose content is left out.',
    });
  });

  it('shows names that are not printable', () => {
    expect(explained({}, '/', '/a\x1b[2J\xff').text).toBe('/a\\x1b[2J\\xff is taken: no rule matches it.');
  });
});
