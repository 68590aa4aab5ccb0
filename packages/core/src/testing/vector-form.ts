import { invariant } from '../errors.ts';

/** A value that a known answer may hold: bytes are shown as hex, integers as numbers or decimal text. */
export type VectorValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly VectorValue[]
  | { readonly [name: string]: VectorValue };

export type VectorOutputs = Readonly<Record<string, VectorValue>>;

/** A known answer as it stands in `testkit/vectors` (form: `testkit/README.md`). */
export interface Vector {
  readonly kind: string;
  readonly reason: string;
  readonly expect: 'ok' | 'fail';
  readonly inputs: Readonly<Record<string, string | number>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** The inputs of a vector by name. `unused` tells a vector with a misspelt input from a good one. */
export class VectorInputs {
  private readonly given: Vector['inputs'];
  private readonly left: Set<string>;

  constructor(given: Vector['inputs']) {
    this.given = given;
    this.left = new Set(Object.keys(given));
  }

  get unused(): readonly string[] {
    return [...this.left];
  }

  private take(name: string): string | number {
    const value = this.given[name];
    invariant(value !== undefined, `the vector has an input ${name}`);
    this.left.delete(name);
    return value;
  }

  text(name: string): string {
    return String(this.take(name));
  }

  number(name: string): number {
    const value = Number(this.take(name));
    invariant(Number.isSafeInteger(value), `the input ${name} is an integer`);
    return value;
  }

  bytes(name: string): Buffer {
    const text = this.text(name);
    const bytes = Buffer.from(text, 'hex');
    invariant(bytes.toString('hex') === text, `the input ${name} is hex`);
    return bytes;
  }
}

/**
 * What differs between computed outputs and those of a vector, or undefined. A vector may give a part of the names; lists are
 * complete, but an entry of a tree may be given by its first fields.
 */
export function differenceOf(computed: VectorValue, expected: unknown, where = 'outputs'): string | undefined {
  if (computed instanceof Uint8Array) return scalar(Buffer.from(computed).toString('hex'), expected, where);
  if (typeof computed === 'number' || typeof computed === 'bigint') {
    const isInteger = typeof expected === 'number' || typeof expected === 'string';
    return isInteger ? scalar(String(computed), String(expected), where) : `${where}: ${computed}, not an integer`;
  }
  if (Array.isArray(computed)) {
    const isEntry = /^outputs\.entries\[\d+\]$/.test(where);
    const enough = Array.isArray(expected) && (isEntry ? expected.length > 0 : expected.length === computed.length);
    if (!enough) return `${where}: ${computed.length} elements, expected ${JSON.stringify(expected)}`;
    return firstOf(expected.map((value: unknown, i) => differenceOf(computed[i], value, `${where}[${i}]`)));
  }
  if (typeof computed === 'object' && computed !== null) {
    if (typeof expected !== 'object' || expected === null || Object.keys(expected).length === 0) {
      return `${where}: expected ${JSON.stringify(expected)}`;
    }
    const parts = computed as VectorOutputs;
    return firstOf(
      Object.entries(expected).map(([name, value]) => differenceOf(parts[name], value, `${where}.${name}`)),
    );
  }
  return scalar(computed, expected, where);
}

function firstOf(found: readonly (string | undefined)[]): string | undefined {
  return found.find((difference) => difference !== undefined);
}

function scalar(computed: unknown, expected: unknown, where: string): string | undefined {
  return computed === expected
    ? undefined
    : `${where}: ${String(computed).slice(0, 200)}, expected ${String(expected)}`;
}
