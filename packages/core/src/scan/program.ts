import type { CharacterSet } from './character-set.ts';
import type { Expression, Place } from './expression.ts';

/** Steps of one pattern: room for a path of the greatest length, 4,095 bytes (PATH_MAX, linux/limits.h). */
const MAX_STEPS = 5_000;

/** Kinds of steps. All but `jump`, `fork` and `match` go on with the step after them. */
export const STEP = {
  match: 0,
  /** Take one character of the set `firsts`. */
  character: 1,
  /** Go to `firsts`. */
  jump: 2,
  /** Go to `firsts` and to `seconds`. */
  fork: 3,
  start: 4,
  end: 5,
  wordBorder: 6,
  noWordBorder: 7,
} as const;

const PLACE_STEP: Readonly<Record<Place, number>> = {
  start: STEP.start,
  end: STEP.end,
  'word-border': STEP.wordBorder,
  'no-word-border': STEP.noWordBorder,
};

/** A nondeterministic automaton as a list of steps, one number of each array per step. It starts at step 0. */
export interface Program {
  readonly kinds: readonly number[];
  readonly firsts: readonly number[];
  readonly seconds: readonly number[];
  readonly sets: readonly CharacterSet[];
  readonly looksAtWords: boolean;
}

/** Writes an expression down as steps. Calls `refuse`, which throws, when that takes too many. */
export function compileProgram(expression: Expression, refuse: (problem: string) => never): Program {
  const kinds: number[] = [];
  const firsts: number[] = [];
  const seconds: number[] = [];
  const sets: CharacterSet[] = [];
  let looksAtWords = false;

  const emit = (kind: number, first = 0): number => {
    if (kinds.length >= MAX_STEPS) refuse(`it is too large: more than ${MAX_STEPS} steps`);
    kinds.push(kind);
    firsts.push(first);
    seconds.push(0);
    return kinds.length - 1;
  };

  const emitChoice = (items: readonly Expression[]): void => {
    const ends: number[] = [];
    for (const [i, item] of items.entries()) {
      if (i === items.length - 1) {
        emitExpression(item);
        break;
      }
      const fork = emit(STEP.fork, kinds.length + 1);
      emitExpression(item);
      ends.push(emit(STEP.jump));
      seconds[fork] = kinds.length;
    }
    for (const end of ends) firsts[end] = kinds.length;
  };

  const emitRepeat = (item: Expression, min: number, max: number): void => {
    for (let i = 0; i < min; i += 1) {
      const before = kinds.length;
      emitExpression(item);
      // Nothing, repeated, is nothing: an empty group with a great count must not take long.
      if (kinds.length === before) return;
    }
    if (max === Infinity) {
      const fork = emit(STEP.fork, kinds.length + 1);
      emitExpression(item);
      emit(STEP.jump, fork);
      seconds[fork] = kinds.length;
      return;
    }
    const forks: number[] = [];
    for (let i = min; i < max; i += 1) {
      forks.push(emit(STEP.fork, kinds.length + 1));
      emitExpression(item);
    }
    for (const fork of forks) seconds[fork] = kinds.length;
  };

  const emitExpression = (part: Expression): void => {
    switch (part.kind) {
      case 'character':
        sets.push(part.set);
        emit(STEP.character, sets.length - 1);
        break;
      case 'sequence':
        for (const item of part.items) emitExpression(item);
        break;
      case 'choice':
        emitChoice(part.items);
        break;
      case 'repeat':
        emitRepeat(part.item, part.min, part.max);
        break;
      case 'place':
        looksAtWords ||= part.place === 'word-border' || part.place === 'no-word-border';
        emit(PLACE_STEP[part.place]);
        break;
    }
  };

  emitExpression(expression);
  emit(STEP.match);
  return { kinds, firsts, seconds, sets, looksAtWords };
}
