import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The built library, as a program imports it. */
export type Core = typeof import('../../../dist/index.js');

/** A change of the built library that takes one rule away. */
export interface Mutation {
  /** The rule of the design page, and what of it is taken away. */
  readonly rule: string;
  /** Of the built library. */
  readonly file: string;
  /** Text that stands there once, and what takes its place; white space counts as one space. */
  readonly edits: readonly (readonly [from: string, to: string])[];
}

const DIST = fileURLToPath(new URL('../../../dist', import.meta.url));
/** Where the library finds what it depends on, and what the test runner leaves as it is. */
const MODULES = fileURLToPath(new URL('../../../../../node_modules', import.meta.url));

/** A copy of the library with a mutation in it, loaded beside the real one. */
export class CoreCopy implements Disposable {
  readonly core: Core;
  private readonly directory: string;

  private constructor(core: Core, directory: string) {
    this.core = core;
    this.directory = directory;
  }

  static async load(mutation: Mutation): Promise<CoreCopy> {
    const text = mutated(readFileSync(join(DIST, mutation.file), 'utf8'), mutation);
    const directory = mkdtempSync(join(MODULES, '.cairn-mutant-'));
    const isFolderOrCode = (path: string): boolean => !/\.(d\.ts|map)$/.test(path);
    cpSync(DIST, join(directory, 'dist'), { recursive: true, filter: isFolderOrCode });
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(directory, 'dist', mutation.file), text);
    const core = (await import(pathToFileURL(join(directory, 'dist', 'index.js')).href)) as Core;
    return new CoreCopy(core, directory);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true });
  }
}

function mutated(text: string, { rule, file, edits }: Mutation): string {
  let result = text;
  for (const [from, to] of edits) {
    const pattern = new RegExp(from.trim().split(/\s+/).map(escaped).join('\\s+'), 'g');
    const found = result.match(pattern)?.length ?? 0;
    if (found !== 1) throw new Error(`${rule}: what is to be taken away is ${found} times in ${file}: ${from}`);
    result = result.replace(pattern, () => to);
  }
  return result;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
