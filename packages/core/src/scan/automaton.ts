import { invariant } from '../errors.ts';
import { hasCharacter, rangesOf, WORD, type CharacterSet } from './character-set.ts';
import type { Expression } from './expression.ts';
import { compileProgram, STEP, type Program } from './program.ts';

/** States kept of one automaton, each a few hundred bytes. Beyond that they are forgotten and made again. */
const STATES_KEPT = 500;

/** What stands beside a position: the edge of the text, a word character, or another one. */
const EDGE = 0;
const IN_WORD = 1;
const OTHER = 2;

interface State {
  /** Steps that are reached before this position's places are looked at; ascending. */
  readonly steps: readonly number[];
  /** EDGE, IN_WORD or OTHER. */
  readonly before: number;
  /** By class of the next character. */
  readonly next: (State | undefined)[];
  acceptsAtEnd: boolean | undefined;
}

const ACCEPTED: State = { steps: [], before: OTHER, next: [], acceptsAtEnd: true };

/**
 * Tells whether an expression matches the beginning of a text. Time grows with the length of the text, never with what
 * the expression could try: all ways through it are followed at once (Thompson's construction), and the sets of steps
 * met are remembered as states of a deterministic automaton, made when first needed.
 */
export class Automaton {
  private readonly program: Program;
  /** First code point of each class: characters of one class are treated alike by the whole expression. */
  private readonly classStarts: readonly number[];
  private readonly asciiClasses = new Uint16Array(128);
  private readonly states = new Map<string, State>();
  private readonly initial: State;
  private readonly marks: Uint32Array;
  private mark = 0;

  /** Calls `refuse`, which throws, when the expression is too large. */
  constructor(expression: Expression, refuse: (problem: string) => never) {
    this.program = compileProgram(expression, refuse);
    this.classStarts = classStartsOf(this.program);
    for (let code = 0; code < 128; code += 1) this.asciiClasses[code] = this.findClass(code);
    this.marks = new Uint32Array(this.program.kinds.length);
    this.initial = this.stateOf([0], EDGE);
  }

  matchesStartOf(text: string): boolean {
    let state = this.initial;
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      let index: number;
      if (code < 128) {
        index = this.asciiClasses[code] ?? 0;
      } else {
        const codePoint = text.codePointAt(i) ?? code;
        if (codePoint > 0xffff) i += 1;
        index = this.findClass(codePoint);
      }
      state = state.next[index] ?? this.advance(state, index);
      if (state === ACCEPTED) return true;
      if (state.steps.length === 0) return false;
    }
    return (state.acceptsAtEnd ??= this.reach(state, EDGE) === undefined);
  }

  private findClass(codePoint: number): number {
    let low = 0;
    let high = this.classStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.classStarts[middle] ?? 0) <= codePoint) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private advance(state: State, index: number): State {
    const codePoint = this.classStarts[index] ?? 0;
    const side = hasCharacter(WORD, codePoint) ? IN_WORD : OTHER;
    const reached = this.reach(state, side);
    let next = ACCEPTED;
    if (reached !== undefined) {
      const steps = reached.filter((step) => hasCharacter(this.setAt(step), codePoint)).map((step) => step + 1);
      next = this.stateOf(
        steps.sort((a, b) => a - b),
        side,
      );
    }
    state.next[index] = next;
    return next;
  }

  private stateOf(steps: readonly number[], side: number): State {
    const before = side === IN_WORD && !this.program.looksAtWords ? OTHER : side;
    const name = `${before}:${steps.join(',')}`;
    const known = this.states.get(name);
    if (known !== undefined) return known;
    if (this.states.size >= STATES_KEPT) {
      // The initial state outlives this; without its links, the others can be collected.
      this.states.clear();
      this.initial.next.length = 0;
    }
    const state: State = { steps, before, next: [], acceptsAtEnd: undefined };
    this.states.set(name, state);
    return state;
  }

  /** The steps that wait for a character here, given what comes after; undefined when the expression has matched. */
  private reach(state: State, after: number): number[] | undefined {
    const { kinds, firsts, seconds } = this.program;
    this.mark += 1;
    const pending = [...state.steps];
    const waiting: number[] = [];
    for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
      if (this.marks[step] === this.mark) continue;
      this.marks[step] = this.mark;
      const first = firsts[step] ?? 0;
      switch (kinds[step]) {
        case STEP.match:
          return undefined;
        case STEP.character:
          waiting.push(step);
          break;
        case STEP.jump:
          pending.push(first);
          break;
        case STEP.fork:
          pending.push(first, seconds[step] ?? 0);
          break;
        default:
          if (isAt(kinds[step] ?? 0, state.before, after)) pending.push(step + 1);
      }
    }
    return waiting;
  }

  private setAt(step: number): CharacterSet {
    const set = this.program.sets[this.program.firsts[step] ?? 0];
    invariant(set !== undefined, 'a step of a pattern has no set of characters');
    return set;
  }
}

function isAt(kind: number, before: number, after: number): boolean {
  const isBorder = (before === IN_WORD) !== (after === IN_WORD);
  switch (kind) {
    case STEP.start:
      return before === EDGE;
    case STEP.end:
      return after === EDGE;
    case STEP.wordBorder:
      return isBorder;
    default:
      return !isBorder;
  }
}

function classStartsOf(program: Program): number[] {
  const starts = new Set([0]);
  const sets = program.looksAtWords ? [...program.sets, WORD] : program.sets;
  for (const [first, last] of sets.flatMap(rangesOf)) starts.add(first).add(last + 1);
  return [...starts].sort((a, b) => a - b);
}
