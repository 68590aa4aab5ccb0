import { describe, expect, it } from 'vitest';

import { Automaton } from './automaton.ts';
import { EVERY_CHARACTER } from './character-set.ts';
import { anyNumberOf, sequence } from './expression.ts';
import { parseRegexp } from './regexp.ts';

function refuse(problem: string): never {
  throw new Error(problem);
}

function found(source: string, text: string): boolean {
  return new Automaton(sequence(anyNumberOf(EVERY_CHARACTER), parseRegexp(source, refuse)), refuse).matchesStartOf(
    text,
  );
}

describe('parseRegexp', () => {
  it.each([
    ['\\.tmp$', 'a/b.tmp', true],
    ['\\.tmp$', 'a/b.tmp2', false],
    ['\\Ahome/[^/]+\\.tmp/', 'home/x.tmp/y', true],
    ['\\Ahome', 'srv/home', false],
    ['x\\Z', 'xy', false],
    ['(?P<year>20\\d\\d)-', 'log-2024-01', true],
    ['a{,2}$', 'b', true],
    ['^a{,2}$', 'aaa', false],
    ['a{}', 'a{}', true],
    ['a{x', 'a{x', true],
    ['[]]', ']', true],
    ['[^]a]', ']a', false],
    ['[a-]', '-', true],
    ['[\\w.-]+@', 'a.b-c@d', true],
    ['[\\]]', ']', true],
    ['\\x41\\u0042\\t', 'AB\t', true],
    ['\\-\\ \\_', '- _', true],
    ['a.b', 'a\nb', false],
    ['(?s)a.b', 'a\nb', true],
    ['(?i)\\.(jpe?g|png)$', 'x.JPG', true],
    ['(?i)[à-ý]', 'É', true],
    ['(?i)[^a]', 'A', false],
    ['(?is)a.b', 'A\nB', true],
    ['\\bfoo\\b', 'a foo b', true],
    ['\\bfoo\\b', 'afoo', false],
    ['', 'anything', true],
  ])('%s in %j: %s', (source, text, expected) => {
    expect(found(source, text)).toBe(expected);
  });

  it.each([
    ['a(b', 'there is a `(` without its `)`'],
    ['a)b', 'there is a `)` without its `(`'],
    ['[ab', 'there is a `[` without its `]`'],
    ['[]', 'there is a `[` without its `]`'],
    ['*a', 'there is nothing before `*` to repeat'],
    ['a|+', 'there is nothing before `+` to repeat'],
    ['({2}a)', 'there is nothing before `{` to repeat'],
    ['a**', '`*` repeats a repetition'],
    ['a*+', '`+` repeats a repetition'],
    ['a{3,2}', '`{3,2}` has its numbers the wrong way round'],
    ['a{2000}', '`{2000}` repeats more than 1000 times'],
    ['[z-a]', 'a range in `[…]` is not from a lower to a higher character'],
    ['[a-\\d]', 'a range in `[…]` is not from a lower to a higher character'],
    ['a\\', 'it ends too early'],
    ['(a)\\1', '`\\1` is not supported'],
    ['\\q', '`\\q` is not supported'],
    ['(?=a)', '`(?=` is not supported: only `(…)`, `(?:…)` and `(?P<name>…)` are'],
    ['(?<!a)b', '`(?<` is not supported: only `(…)`, `(?:…)` and `(?P<name>…)` are'],
    ['(?m)^a', 'the flag `m` is not supported, only `i` and `s` are'],
  ])('refuses %s', (source, problem) => {
    expect(() => found(source, '')).toThrow(problem);
  });

  it('refuses groups nested too deep', () => {
    expect(() => found('('.repeat(50_000), '')).toThrow('groups are nested more than 100 deep');
  });
});
