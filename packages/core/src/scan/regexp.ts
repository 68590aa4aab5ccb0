import {
  complementOf,
  DIGITS,
  EVERY_CHARACTER,
  only,
  setOf,
  SPACE,
  unionOf,
  withBothCases,
  WORD,
  charactersOf,
  type CharacterSet,
} from './character-set.ts';
import { character, choice, place, repeat, sequence, type Expression } from './expression.ts';

/** Throws what is wrong with a pattern. */
export type Refuse = (problem: string) => never;

/** Groups in groups: the parser calls itself for each. */
const MAX_DEPTH = 100;
/** The greatest count of `{n}`, as in RE2. */
const MAX_COUNT = 1_000;

const COUNT = /^\{(\d*)(?:(,)(\d*))?\}/;
const FLAGS = /^\(\?([a-z]+)\)/;
const GROUP_OPENINGS = /^\((?:\?(?::|P<[A-Za-z_]\w*>))?/;

const ESCAPED_SETS: Readonly<Record<string, CharacterSet>> = {
  d: DIGITS,
  D: complementOf(DIGITS),
  w: WORD,
  W: complementOf(WORD),
  s: SPACE,
  S: complementOf(SPACE),
};

const ESCAPED_CONTROLS: Readonly<Record<string, number>> = { a: 7, t: 9, n: 10, v: 11, f: 12, r: 13 };

/**
 * Reads a regular expression in the syntax of Python's `re`, which Borg uses. What cannot be matched in linear time is
 * refused: references to groups and looking around. `\w`, `\d`, `\s` and `\b` know ASCII only; `$` is the very end.
 * `(?i)` and `(?s)` may stand at the start. Calls `refuse`, which throws, with what is wrong.
 */
export function parseRegexp(source: string, refuse: Refuse): Expression {
  return new RegexpParser(source, refuse).parse();
}

class RegexpParser {
  private readonly source: string;
  private readonly refuse: Refuse;
  private at = 0;
  private depth = 0;
  private ignoreCase = false;
  private dotIsAll = false;

  constructor(source: string, refuse: Refuse) {
    this.source = source;
    this.refuse = refuse;
  }

  parse(): Expression {
    const flags = FLAGS.exec(this.source);
    if (flags !== null) this.setFlags(flags[1] ?? '', flags[0].length);
    const expression = this.choice();
    return this.at < this.source.length ? this.fail('there is a `)` without its `(`') : expression;
  }

  private fail(problem: string): never {
    return this.refuse(problem);
  }

  private setFlags(flags: string, length: number): void {
    for (const flag of flags) {
      if (flag === 'i') this.ignoreCase = true;
      else if (flag === 's') this.dotIsAll = true;
      else this.fail(`the flag \`${flag}\` is not supported, only \`i\` and \`s\` are`);
    }
    this.at = length;
  }

  private get rest(): string {
    return this.source.slice(this.at);
  }

  private choice(): Expression {
    const items = [this.sequence()];
    while (this.source[this.at] === '|') {
      this.at += 1;
      items.push(this.sequence());
    }
    return choice(...items);
  }

  private sequence(): Expression {
    const items: Expression[] = [];
    while (this.at < this.source.length && !'|)'.includes(this.source.charAt(this.at))) items.push(this.repeated());
    return sequence(...items);
  }

  private repeated(): Expression {
    const start = this.source.charAt(this.at);
    if ('*+?'.includes(start) || (start === '{' && this.count() !== undefined)) {
      this.fail(`there is nothing before \`${start}\` to repeat`);
    }
    const item = this.item();
    const count = this.count();
    if (count === undefined) return item;
    this.at += count.length;
    if (this.source[this.at] === '?') this.at += 1; // A lazy repetition finds the same paths.
    if (this.count() !== undefined) this.fail(`\`${this.source.charAt(this.at)}\` repeats a repetition`);
    return repeat(item, count.min, count.max);
  }

  /** The repetition at the current place, which stays where it is. */
  private count(): { readonly min: number; readonly max: number; readonly length: number } | undefined {
    switch (this.source[this.at]) {
      case '*':
        return { min: 0, max: Infinity, length: 1 };
      case '+':
        return { min: 1, max: Infinity, length: 1 };
      case '?':
        return { min: 0, max: 1, length: 1 };
      case '{':
        return this.bracedCount();
      default:
        return undefined;
    }
  }

  private bracedCount(): { readonly min: number; readonly max: number; readonly length: number } | undefined {
    const found = COUNT.exec(this.rest);
    if (found === null || found[0] === '{}') return undefined;
    const [text, low = '', comma, high = ''] = found;
    const min = Number(low);
    let max = min;
    if (comma !== undefined) max = high === '' ? Infinity : Number(high);
    if (min > MAX_COUNT || (max > MAX_COUNT && max !== Infinity)) {
      this.fail(`\`${text}\` repeats more than ${MAX_COUNT} times`);
    }
    if (max < min) this.fail(`\`${text}\` has its numbers the wrong way round`);
    return { min, max, length: text.length };
  }

  private item(): Expression {
    const start = this.source.charAt(this.at);
    switch (start) {
      case '(':
        return this.group();
      case '[':
        return this.bracket();
      case '\\':
        return this.escape();
      case '^':
        this.at += 1;
        return place('start');
      case '$':
        this.at += 1;
        return place('end');
      case '.':
        this.at += 1;
        return character(this.dotIsAll ? EVERY_CHARACTER : complementOf(charactersOf('\n')));
      default:
        return this.single(this.codePoint());
    }
  }

  private single(codePoint: number): Expression {
    return character(this.folded(setOf(only(codePoint))));
  }

  private folded(set: CharacterSet): CharacterSet {
    return this.ignoreCase ? withBothCases(set) : set;
  }

  private codePoint(): number {
    const codePoint = this.source.codePointAt(this.at);
    if (codePoint === undefined) return this.fail('it ends too early');
    this.at += codePoint > 0xffff ? 2 : 1;
    return codePoint;
  }

  private group(): Expression {
    const opening = GROUP_OPENINGS.exec(this.rest)?.[0] ?? '(';
    this.at += opening.length;
    if (this.source[this.at] === '?') {
      this.fail(`\`(${this.rest.slice(0, 2)}\` is not supported: only \`(…)\`, \`(?:…)\` and \`(?P<name>…)\` are`);
    }
    this.depth += 1;
    if (this.depth > MAX_DEPTH) this.fail(`groups are nested more than ${MAX_DEPTH} deep`);
    const inner = this.choice();
    if (this.source[this.at] !== ')') this.fail('there is a `(` without its `)`');
    this.at += 1;
    this.depth -= 1;
    return inner;
  }

  private escape(): Expression {
    const letter = this.source.charAt(this.at + 1);
    const where = { A: 'start', Z: 'end', b: 'word-border', B: 'no-word-border' } as const;
    if (letter === 'A' || letter === 'Z' || letter === 'b' || letter === 'B') {
      this.at += 2;
      return place(where[letter]);
    }
    const set = this.escapedSet();
    return set === undefined ? this.single(this.escapedCharacter()) : character(set);
  }

  private escapedSet(): CharacterSet | undefined {
    const set = ESCAPED_SETS[this.source.charAt(this.at + 1)];
    if (set !== undefined) this.at += 2;
    return set;
  }

  private escapedCharacter(): number {
    this.at += 1;
    const coded = /^(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4}))/.exec(this.rest);
    if (coded !== null) {
      this.at += coded[0].length;
      return Number.parseInt(coded[1] ?? coded[2] ?? '', 16);
    }
    const letter = this.source.charAt(this.at);
    const control = ESCAPED_CONTROLS[letter];
    if (control === undefined && /[0-9A-Za-z]/.test(letter)) this.fail(`\`\\${letter}\` is not supported`);
    const codePoint = this.codePoint();
    return control ?? codePoint;
  }

  private bracket(): Expression {
    this.at += 1;
    const isNegated = this.source[this.at] === '^';
    if (isNegated) this.at += 1;
    const sets: CharacterSet[] = [];
    for (let first = true; first || this.source[this.at] !== ']'; first = false) {
      if (this.at >= this.source.length) this.fail('there is a `[` without its `]`');
      sets.push(this.bracketItem());
    }
    this.at += 1;
    const set = this.folded(unionOf(...sets));
    return character(isNegated ? complementOf(set) : set);
  }

  private bracketItem(): CharacterSet {
    const first = this.bracketEnd();
    const isRange = this.source[this.at] === '-' && ![']', undefined].includes(this.source[this.at + 1]);
    if (!isRange) return typeof first === 'number' ? setOf(only(first)) : first;
    this.at += 1;
    const last = this.bracketEnd();
    if (typeof first !== 'number' || typeof last !== 'number' || last < first) {
      return this.fail('a range in `[…]` is not from a lower to a higher character');
    }
    return setOf([first, last]);
  }

  /** One character of a bracket, or a set such as `\d`. */
  private bracketEnd(): number | CharacterSet {
    if (this.source[this.at] !== '\\') return this.codePoint();
    if (this.source[this.at + 1] === 'b') {
      this.at += 2;
      return 8;
    }
    return this.escapedSet() ?? this.escapedCharacter();
  }
}
