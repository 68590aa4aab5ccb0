import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Automaton } from './automaton.ts';
import { EVERY_CHARACTER } from './character-set.ts';
import { anyNumberOf, sequence } from './expression.ts';
import { parseRegexp } from './regexp.ts';

function refuse(problem: string): never {
  throw new Error(problem);
}

function searches(source: string): (text: string) => boolean {
  const automaton = new Automaton(sequence(anyNumberOf(EVERY_CHARACTER), parseRegexp(source, refuse)), refuse);
  return (text) => automaton.matchesStartOf(text);
}

/** Expressions that mean the same to JavaScript's `RegExp`, which serves as the oracle. */
const expressions = fc.letrec<{ all: string; group: string; bracket: string; item: string; repeated: string }>(
  (tie) => ({
    bracket: fc
      .tuple(
        fc.constantFrom('', '^'),
        fc.array(fc.constantFrom('a', 'b-d', '/', '\\d', '_', 'é', '😀'), { minLength: 1 }),
      )
      .map(([negation, items]) => `[${negation}${items.join('')}]`),
    group: tie('all').map((inner) => `(?:${inner})`),
    item: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('a', 'b', 'c', '/', '.', '\\.', '\\w', '\\W', 'é', '😀', '^', '$', '\\b', '\\B'),
      tie('bracket'),
      tie('group'),
    ),
    repeated: fc
      .tuple(tie('item'), fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,3}', '{2,}', '*?'))
      .map(([item, count]) => (/^(\^|\$|\\[bB])$/.test(item) ? item : item + count)),
    all: fc
      .array(tie('repeated'), { maxLength: 4 })
      .chain((items) => fc.constantFrom(items.join(''), `${items.slice(0, 1).join('')}|${items.slice(1).join('')}`)),
  }),
);

const texts = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', '/', '.', '_', '1', 'é', '😀', '\udc80', '\n'), { maxLength: 12 })
  .map((characters) => characters.join(''));

/** Node.js 26 says that a last character outside of the first plane is not one that is not `a`. */
const ERRS_AT_END = !/[^a]$/u.test('😀');

/** Node's RegExp finds `\B` between the halves of a surrogate pair, where a search with the flag `u` must not stop. */
function oracleErrs(source: string, text: string): boolean {
  return text.includes('😀') && (source.includes('\\B') || (ERRS_AT_END && source.includes('$')));
}

describe('Automaton', () => {
  it('agrees with RegExp', () => {
    fc.assert(
      fc.property(expressions.all, fc.array(texts, { minLength: 1, maxLength: 8 }), (source, samples) => {
        const ours = searches(source);
        const oracle = new RegExp(source, 'u');
        for (const text of samples) {
          if (!oracleErrs(source, text)) expect([text, ours(text)]).toEqual([text, oracle.test(text)]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('stays right when more states are needed than it keeps', () => {
    const source = '(?:a|b)*a(?:a|b){10}c';
    const ours = searches(source);
    const oracle = new RegExp(source);
    const letters = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 30, maxLength: 300 });
    fc.assert(
      fc.property(letters, (characters) => {
        const text = characters.join('');
        expect(ours(text)).toBe(oracle.test(text));
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['(a+)+$', `${'a'.repeat(4_000)}b`],
    ['(a|a)*(a|a)*(a|a)*c', 'a'.repeat(4_000)],
    ['(a*)*b', 'a'.repeat(4_000)],
    ['(.*a){20}$', `${'a'.repeat(2_000)}b`],
    ['(){1000}(((){1000}){1000}){1000}z', 'a'.repeat(100)],
  ])('takes linear time for %s', (source, text) => {
    const start = performance.now();
    expect(searches(source)(text)).toBe(false);
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('refuses an expression that would take too many steps', () => {
    expect(() => searches('((a{100}){100}){100}')).toThrow('it is too large: more than 5000 steps');
  });
});
