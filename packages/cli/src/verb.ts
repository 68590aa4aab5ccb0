import type { Command } from 'commander';

import type { Context } from './context.ts';

/** What `run` of a verb is given: operands in order, options by commander's names. */
export interface Invocation {
  readonly operands: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** One verb of the command line. Its module is loaded only when it is used. */
export interface Verb {
  /** Adds operands, options and the example that ends its help. */
  define(command: Command): void;
  /** Does the work; gives the exit status, 0 unless said otherwise. */
  run(context: Context, invocation: Invocation): Promise<number | void>;
}

/** A verb before its module is loaded. */
export interface VerbRow {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<Verb>;
}

/** Verbs below one word, as in `cairn key show`. */
export interface VerbGroup {
  readonly name: string;
  readonly summary: string;
  /** Ends its help. */
  readonly example: string;
  readonly verbs: readonly (VerbRow | VerbGroup)[];
}
