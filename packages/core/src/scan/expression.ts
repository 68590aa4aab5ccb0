import type { CharacterSet } from './character-set.ts';
import { charactersOf } from './character-set.ts';

/** A place in the text: its start, its end, a border between word and other characters (ASCII), or no such border. */
export type Place = 'start' | 'end' | 'word-border' | 'no-word-border';

/** What a pattern looks for; the common form of globs and regular expressions. */
export type Expression =
  | { readonly kind: 'character'; readonly set: CharacterSet }
  | { readonly kind: 'sequence'; readonly items: readonly Expression[] }
  | { readonly kind: 'choice'; readonly items: readonly Expression[] }
  | { readonly kind: 'repeat'; readonly item: Expression; readonly min: number; readonly max: number }
  | { readonly kind: 'place'; readonly place: Place };

export function character(set: CharacterSet): Expression {
  return { kind: 'character', set };
}

export function sequence(...items: readonly Expression[]): Expression {
  return { kind: 'sequence', items };
}

export function choice(...items: readonly Expression[]): Expression {
  return { kind: 'choice', items };
}

/** `item`, at least `min` and at most `max` times; `max` may be Infinity. */
export function repeat(item: Expression, min: number, max: number): Expression {
  return { kind: 'repeat', item, min, max };
}

export function anyNumberOf(set: CharacterSet): Expression {
  return repeat(character(set), 0, Infinity);
}

export function place(where: Place): Expression {
  return { kind: 'place', place: where };
}

/** Exactly this text. */
export function literal(text: string): Expression {
  return sequence(...Array.from(text, (one) => character(charactersOf(one))));
}
