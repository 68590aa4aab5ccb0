import { posix } from 'node:path';

import { CairnError } from '../errors.ts';
import type { ByteString } from '../host/byte-path.ts';
import { Automaton } from './automaton.ts';
import { EVERY_CHARACTER } from './character-set.ts';
import { anyNumberOf, choice, literal, place, sequence, type Expression } from './expression.ts';
import { ANY_DIRECTORIES, joinComponents, parseBorgGlob, parseComponent, type BorgGlob } from './glob.ts';
import { bytesOfText, type ExaminedPath } from './path-text.ts';
import { parseRegexp, type Refuse } from './regexp.ts';

/** Where a pattern was written. Presets and files are named, files with the line. */
export type Origin = 'option' | `preset ${string}` | `file ${string} line ${number}`;

/** A pattern as someone wrote it. */
export interface RuleSource {
  /** Text; bytes that are no UTF-8 as `path-text.ts` writes them. */
  readonly pattern: string;
  readonly origin: Origin;
}

/** What must be so for a pattern to match at all, so that most patterns need not be looked at. */
export type PatternKey =
  /** The whole path; there is nothing else to test. */
  | { readonly kind: 'path'; readonly path: ByteString }
  /** The last component. */
  | { readonly kind: 'name'; readonly name: ByteString }
  /** What follows the last dot of the last component. */
  | { readonly kind: 'extension'; readonly extension: ByteString }
  | { readonly kind: 'none' };

export interface Pattern {
  /** A leading `!`: what matches is taken. */
  readonly isReinclude: boolean;
  /** A trailing slash in the default style: matches directories only. */
  readonly isDirectoryOnly: boolean;
  /** Borg's `pf:`: outranks all other patterns. */
  readonly isOverriding: boolean;
  readonly key: PatternKey;
  /** True when the path matches, given that the key does. Says nothing of the kind of entry. */
  matches(path: ExaminedPath): boolean;
}

type PatternBody = Pick<Pattern, 'key' | 'matches'> & Partial<Pattern>;

const STYLE = /^([0-9A-Za-z]{2}):/;
const NAMES_ROOT = 'it names the root, so nothing would be left';
const STYLES = '`sh:`, `fm:`, `re:`, `pp:` and `pf:`';
const EXTENSION_ONLY = /^\*(\.[^*?[\\/]+)$/;
/** `^/` or `\A/` outside brackets: the expression was written for paths that begin with a slash. */
const ANCHORED_SLASH = /(?:(?<![[\\])\^|\\A)\\?\//;

/**
 * Reads one pattern. Without a prefix it is in the default style, like gitignore(5) with one difference: only a leading
 * slash anchors it, at the root of the file system. Prefixes choose one of Borg's styles. A leading `!` re-includes.
 * Rejects with `USAGE` for a pattern that is malformed or can never match; the message names it and its origin.
 */
export function parsePattern({ pattern, origin }: RuleSource): Pattern {
  const refuse: Refuse = (problem) => {
    const hint = 'See docs/guides/exclude.md for how patterns are written.';
    throw new CairnError('USAGE', `pattern \`${pattern}\` (${originPhrase(origin)}): ${problem}`, { hint });
  };
  if (pattern.includes('\0')) refuse('no path holds a NUL character');
  const isReinclude = pattern.startsWith('!');
  const text = isReinclude ? pattern.slice(1) : pattern;
  const style = STYLE.exec(text)?.[1];
  const body = style === undefined ? parseDefault(text, refuse) : parseStyled(style, text.slice(3), refuse);
  return { isDirectoryOnly: false, isOverriding: false, ...body, isReinclude };
}

/** The origin as a part of a sentence. */
function originPhrase(origin: Origin): string {
  return origin === 'option' ? 'an option' : origin;
}

function parseDefault(text: string, refuse: Refuse): PatternBody {
  if (text === '') refuse('it is empty');
  const names = text.split('/').filter((name) => name !== '');
  const last = names.at(-1);
  if (last === undefined) return refuse(NAMES_ROOT);
  if (names.includes('.') || names.includes('..')) {
    refuse('it never matches: paths are absolute and have no `.` or `..` in them');
  }
  const isAnchored = text.startsWith('/');
  const isDirectoryOnly = text.endsWith('/');
  if (!isAnchored && names.length === 1) return { ...parseName(last, refuse), isDirectoryOnly };

  const components = names.map((name) => parseComponent(name, refuse));
  const literals = components.map((component) => component.literal);
  const lastLiteral = literals.at(-1);
  if (isAnchored && literals.every((one) => one !== undefined)) {
    return { key: { kind: 'path', path: `/${bytesOfText(literals.join('/'))}` }, matches: () => true, isDirectoryOnly };
  }
  const joined = joinComponents(components);
  const automaton = new Automaton(
    isAnchored ? sequence(joined, place('end')) : sequence(ANY_DIRECTORIES, joined, place('end')),
    refuse,
  );
  return {
    key: lastLiteral === undefined ? { kind: 'none' } : { kind: 'name', name: bytesOfText(lastLiteral) },
    matches: (path) => automaton.matchesStartOf(path.text),
    isDirectoryOnly,
  };
}

/** A pattern of one component without a leading slash: it is about names, at any depth. */
function parseName(text: string, refuse: Refuse): PatternBody {
  const suffix = EXTENSION_ONLY.exec(text)?.[1];
  if (suffix !== undefined) {
    const ending = bytesOfText(suffix);
    return {
      key: { kind: 'extension', extension: ending.slice(ending.lastIndexOf('.') + 1) },
      matches: (path) => path.name.endsWith(ending),
    };
  }
  const component = parseComponent(text, refuse);
  if (component.literal !== undefined) {
    return { key: { kind: 'name', name: bytesOfText(component.literal) }, matches: () => true };
  }
  const automaton = new Automaton(sequence(component.expression, place('end')), refuse);
  return { key: { kind: 'none' }, matches: (path) => automaton.matchesStartOf(path.nameText) };
}

function parseStyled(style: string, text: string, refuse: Refuse): PatternBody {
  if (text === '') refuse('it is empty');
  switch (style) {
    case 're':
      return matchRegexp(text, refuse);
    case 'fm':
    case 'sh':
      return matchBorgGlob(text, style, refuse);
    case 'pp':
      return matchPrefix(`/${bytesOfText(normalPath(text, refuse))}`);
    case 'pf': {
      const path = `/${bytesOfText(normalPath(text, refuse))}`;
      return { key: { kind: 'path', path }, matches: () => true, isOverriding: true };
    }
    default:
      return refuse(
        `\`${style}:\` is not a style (${STYLES} are); for a name that begins like this put \`\\\` before it`,
      );
  }
}

/** Borg's paths: normalised, without leading slash, here also without the one at the end. */
function normalPath(text: string, refuse: Refuse): string {
  const path = posix.normalize(text).replace(/^\/+|\/+$/g, '');
  return path === '' ? refuse(NAMES_ROOT) : path;
}

/** Any part of the path without its leading slash, as Borg has it; with the slash when the expression asks for it. */
function matchRegexp(text: string, refuse: Refuse): PatternBody {
  const expression: Expression = sequence(anyNumberOf(EVERY_CHARACTER), parseRegexp(text, refuse));
  const automaton = new Automaton(expression, refuse);
  const wantsSlash = ANCHORED_SLASH.test(text);
  return {
    key: { kind: 'none' },
    matches: (path) => automaton.matchesStartOf(path.text) || (wantsSlash && automaton.matchesStartOf(`/${path.text}`)),
  };
}

/** A path and everything under it; with a slash at the pattern's end, only what is under it. */
function matchBorgGlob(text: string, style: BorgGlob, refuse: Refuse): PatternBody {
  const path = normalPath(text, refuse);
  const expression = text.endsWith('/')
    ? parseBorgGlob(`${path}/`, style, refuse)
    : sequence(parseBorgGlob(path, style, refuse), choice(literal('/'), place('end')));
  const automaton = new Automaton(expression, refuse);
  return { key: { kind: 'none' }, matches: (examined) => automaton.matchesStartOf(examined.text) };
}

function matchPrefix(path: ByteString): PatternBody {
  const inside = `${path}/`;
  return { key: { kind: 'none' }, matches: (at) => at.path === path || at.path.startsWith(inside) };
}
