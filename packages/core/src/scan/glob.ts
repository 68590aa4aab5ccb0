import {
  charactersOf,
  complementOf,
  DIGITS,
  EVERY_CHARACTER,
  LETTERS,
  NO_SLASH,
  only,
  setOf,
  SLASH,
  unionOf,
  type CharacterSet,
} from './character-set.ts';
import { anyNumberOf, character, literal, repeat, sequence, type Expression } from './expression.ts';
import type { Refuse } from './regexp.ts';

/** One component of a default-style pattern. */
export interface Component {
  /** The name it stands for, when it has no wildcard. */
  readonly literal: string | undefined;
  readonly isDoubleStar: boolean;
  readonly expression: Expression;
}

/** Any number of whole directories, each with its slash. */
export const ANY_DIRECTORIES: Expression = repeat(
  sequence(repeat(character(NO_SLASH), 1, Infinity), literal('/')),
  0,
  Infinity,
);

const PRINTABLE = setOf([0x21, 0x7e]);
const LOWER = setOf([0x61, 0x7a]);
const UPPER = setOf([0x41, 0x5a]);

/** The classes of POSIX brackets, in the C locale (POSIX.1-2017, XBD 7.3.1). */
const CLASSES: ReadonlyMap<string, CharacterSet> = new Map([
  ['alnum', unionOf(LETTERS, DIGITS)],
  ['alpha', LETTERS],
  ['blank', charactersOf(' \t')],
  ['cntrl', setOf([0, 0x1f], [0x7f, 0x7f])],
  ['digit', DIGITS],
  ['graph', PRINTABLE],
  ['lower', LOWER],
  ['print', setOf([0x20, 0x7e])],
  ['punct', setOf([0x21, 0x2f], [0x3a, 0x40], [0x5b, 0x60], [0x7b, 0x7e])],
  ['space', charactersOf(' \t\n\r\f\v')],
  ['upper', UPPER],
  ['xdigit', setOf([0x30, 0x39], [0x41, 0x46], [0x61, 0x66])],
]);

/** Reads one component of a default-style pattern: `*`, `?`, `[…]` as in gitignore(5), `\` before a plain character. */
export function parseComponent(text: string, refuse: Refuse): Component {
  const items: Expression[] = [];
  const characters = Array.from(text);
  let plain: string | undefined = '';
  for (let at = 0; at < characters.length;) {
    const one = characters[at] ?? '';
    if (one === '*' || one === '?' || one === '[') plain = undefined;
    if (one === '[') {
      const bracket = parseBracket(characters, at, refuse);
      items.push(character(bracket.set));
      at = bracket.end;
      continue;
    }
    at += 1;
    if (one === '*') items.push(anyNumberOf(NO_SLASH));
    else if (one === '?') items.push(character(NO_SLASH));
    else {
      const meant = one === '\\' ? characters[at++] : one;
      if (meant === undefined) return refuse('a `\\` has nothing after it to stand for');
      items.push(literal(meant));
      if (plain !== undefined) plain += meant;
    }
  }
  return { literal: plain, isDoubleStar: /^\*{2,}$/.test(text), expression: sequence(...items) };
}

/** Components joined: `**` between them is any number of directories, at the end everything inside. */
export function joinComponents(components: readonly Component[]): Expression {
  const items: Expression[] = [];
  for (const [i, component] of components.entries()) {
    const isLast = i === components.length - 1;
    if (component.isDoubleStar) items.push(isLast ? repeat(character(EVERY_CHARACTER), 1, Infinity) : ANY_DIRECTORIES);
    else items.push(component.expression, ...(isLast ? [] : [literal('/')]));
  }
  return sequence(...items);
}

function parseBracket(
  characters: readonly string[],
  start: number,
  refuse: Refuse,
): { set: CharacterSet; end: number } {
  let at = start + 1;
  const isNegated = characters[at] === '!' || characters[at] === '^';
  if (isNegated) at += 1;
  const sets: CharacterSet[] = [];
  const next = (): number => {
    if (characters[at] === '\\') at += 1;
    const one = characters[at++];
    return one?.codePointAt(0) ?? refuse('there is a `[` without its `]`');
  };
  for (let first = true; first || characters[at] !== ']'; first = false) {
    const named = /^\[:([a-z]*):\]/.exec(characters.slice(at, at + 32).join(''));
    if (named !== null) {
      sets.push(CLASSES.get(named[1] ?? '') ?? refuse(`there is no class of characters \`${named[0]}\``));
      at += named[0].length;
      continue;
    }
    const low = next();
    if (characters[at] === '-' && at + 1 < characters.length && characters[at + 1] !== ']') {
      at += 1;
      sets.push(rangeBetween(low, next(), refuse));
    } else sets.push(setOf(only(low)));
  }
  const set = unionOf(...sets);
  const withSlash = isNegated ? complementOf(set) : set;
  return { set: complementOf(unionOf(complementOf(withSlash), SLASH)), end: at + 1 };
}

function rangeBetween(low: number, high: number, refuse: Refuse): CharacterSet {
  return high < low ? refuse('a range in `[…]` is not from a lower to a higher character') : setOf([low, high]);
}

/** How Borg's two glob styles differ: whether `*` and `?` cross a slash, and whether a star pair and slash has a meaning. */
export type BorgGlob = 'fm' | 'sh';

/**
 * Borg's `fm:` (fnmatch) and `sh:` patterns, normalised and without leading slash. As in Borg a bracket that is not
 * closed is an ordinary character, a `\` is one, and brackets may match a slash.
 */
export function parseBorgGlob(text: string, style: BorgGlob, refuse: Refuse): Expression {
  const items: Expression[] = [];
  const characters = Array.from(text);
  const crossed = style === 'fm' ? EVERY_CHARACTER : NO_SLASH;
  for (let at = 0; at < characters.length;) {
    const one = characters[at] ?? '';
    const bracketEnd = one === '[' ? borgBracketEnd(characters, at) : undefined;
    if (bracketEnd !== undefined) {
      items.push(character(borgBracket(characters.slice(at + 1, bracketEnd), refuse)));
      at = bracketEnd + 1;
    } else if (style === 'sh' && one === '*' && characters[at + 1] === '*' && characters[at + 2] === '/') {
      items.push(repeat(sequence(anyNumberOf(NO_SLASH), literal('/')), 0, Infinity));
      at += 3;
    } else {
      if (one === '*') items.push(anyNumberOf(crossed));
      else items.push(one === '?' ? character(crossed) : literal(one));
      at += 1;
    }
  }
  return sequence(...items);
}

function borgBracketEnd(characters: readonly string[], start: number): number | undefined {
  let at = start + 1;
  if (characters[at] === '!') at += 1;
  if (characters[at] === ']') at += 1;
  while (at < characters.length && characters[at] !== ']') at += 1;
  return at < characters.length ? at : undefined;
}

function borgBracket(content: readonly string[], refuse: Refuse): CharacterSet {
  const isNegated = content[0] === '!';
  const sets: CharacterSet[] = [];
  for (let at = isNegated ? 1 : 0; at < content.length; at += 1) {
    const low = content[at]?.codePointAt(0) ?? 0;
    const high = content[at + 1] === '-' ? content[at + 2]?.codePointAt(0) : undefined;
    sets.push(high === undefined ? setOf(only(low)) : rangeBetween(low, high, refuse));
    if (high !== undefined) at += 2;
  }
  const set = unionOf(...sets);
  return isNegated ? complementOf(set) : set;
}
