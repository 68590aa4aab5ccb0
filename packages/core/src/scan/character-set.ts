/** A set of code points: first and last of each range, ascending, ranges apart from each other. */
export type CharacterSet = readonly number[];

/** The last code point (Unicode, D9). */
const LAST_CODE_POINT = 0x10_ffff;

/** The end of the Cyrillic Supplement block: case is folded for Latin, Greek and Cyrillic, which end here. */
const LAST_FOLDED = 0x52f;

/** The set of the given ranges, which may overlap and come in any order. */
export function setOf(...ranges: readonly (readonly [first: number, last: number])[]): CharacterSet {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0]);
  const set: number[] = [];
  for (const [first, last] of sorted) {
    const end = set.at(-1);
    if (end === undefined || first > end + 1) set.push(first, last);
    else set[set.length - 1] = Math.max(end, last);
  }
  return set;
}

/** The set of the characters of a text. */
export function charactersOf(text: string): CharacterSet {
  return setOf(...Array.from(text, (character) => only(character.codePointAt(0) ?? 0)));
}

/** The ranges of a set, as `setOf` takes them. */
export function rangesOf(set: CharacterSet): [number, number][] {
  const ranges: [number, number][] = [];
  for (let i = 0; i + 1 < set.length; i += 2) ranges.push([set[i] ?? 0, set[i + 1] ?? 0]);
  return ranges;
}

/** The range of one code point. */
export function only(codePoint: number): [number, number] {
  return [codePoint, codePoint];
}

export function unionOf(...sets: readonly CharacterSet[]): CharacterSet {
  return setOf(...sets.flatMap(rangesOf));
}

export function complementOf(set: CharacterSet): CharacterSet {
  const rest: number[] = [];
  let next = 0;
  for (const [first, last] of rangesOf(set)) {
    if (first > next) rest.push(next, first - 1);
    next = last + 1;
  }
  if (next <= LAST_CODE_POINT) rest.push(next, LAST_CODE_POINT);
  return rest;
}

export function hasCharacter(set: CharacterSet, codePoint: number): boolean {
  for (let i = 0; i + 1 < set.length; i += 2) {
    if (codePoint < (set[i] ?? 0)) return false;
    if (codePoint <= (set[i + 1] ?? 0)) return true;
  }
  return false;
}

/** The set with the other case of each letter of Latin, Greek and Cyrillic added. */
export function withBothCases(set: CharacterSet): CharacterSet {
  const added: [number, number][] = [];
  for (const [first, last] of rangesOf(set)) {
    for (let code = first; code <= Math.min(last, LAST_FOLDED); code += 1) {
      const character = String.fromCodePoint(code);
      for (const other of [character.toLowerCase(), character.toUpperCase()]) {
        // What becomes two letters (ß, ŉ) has no other case of its own.
        if (other.length === 1) added.push(only(other.charCodeAt(0)));
      }
    }
  }
  return setOf(...rangesOf(set), ...added);
}

export const EVERY_CHARACTER: CharacterSet = [0, LAST_CODE_POINT];
export const SLASH: CharacterSet = charactersOf('/');
export const NO_SLASH: CharacterSet = complementOf(SLASH);
export const DIGITS: CharacterSet = setOf([0x30, 0x39]);
export const LETTERS: CharacterSet = setOf([0x41, 0x5a], [0x61, 0x7a]);
export const WORD: CharacterSet = unionOf(LETTERS, DIGITS, charactersOf('_'));
export const SPACE: CharacterSet = charactersOf(' \t\n\r\f\v');
