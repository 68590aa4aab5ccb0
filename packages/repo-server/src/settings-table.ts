import { CairnError } from '@cairn/core/server';

import { parseBytes, parseDuration } from './quantities.ts';

/** A table of a TOML file: takes values by name and kind, and knows which names nobody took. Rejects with `USAGE`. */
export class Table {
  readonly file: string;
  /** As TOML writes it: `repositories.main`; '' for the top. */
  readonly name: string;
  private readonly values: Map<string, unknown>;

  constructor(file: string, name: string, values: Readonly<Record<string, unknown>>) {
    this.file = file;
    this.name = name;
    this.values = new Map(Object.entries(values));
  }

  wrong(name: string, how: string): CairnError {
    const where = this.name === '' ? '' : ` in [${this.name}]`;
    return new CairnError(
      'USAGE',
      `the server's file ${this.file}: ${name === '' ? '' : `\`${name}\``}${where} ${how}`,
      {
        hint: 'docs/guides/server.md shows what may stand there.',
      },
    );
  }

  text(name: string, otherwise: string): string {
    return this.optionalText(name) ?? otherwise;
  }

  path(name: string, otherwise: string): string {
    return this.optionalPath(name) ?? otherwise;
  }

  optionalPath(name: string): string | undefined {
    return this.optionalText(name);
  }

  number(name: string, otherwise: number): number {
    const value = this.take(name) ?? otherwise;
    if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw this.wrong(name, 'must be a number');
    return value;
  }

  bytes(name: string, otherwise: string | undefined): number | undefined {
    const text = this.optionalText(name) ?? otherwise;
    if (text === undefined) return undefined;
    const bytes = parseBytes(text);
    if (bytes === undefined) throw this.wrong(name, 'must be a size as in "500 GB"');
    return bytes;
  }

  duration(name: string, otherwise: string): number {
    const ms = parseDuration(this.text(name, otherwise));
    if (ms === undefined) throw this.wrong(name, 'must be a time as in "7d" or "12h"');
    return ms;
  }

  texts(name: string): readonly string[] {
    const value = this.take(name) ?? [];
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
    throw this.wrong(name, 'must be a list of texts');
  }

  table(name: string): Table | undefined {
    const value = this.take(name);
    if (value === undefined) return undefined;
    if (!isTable(value)) throw this.wrong(name, 'must be a table');
    return new Table(this.file, this.name === '' ? name : `${this.name}.${name}`, value);
  }

  /** The tables below `name`, by theirs. */
  tables(name: string): readonly (readonly [string, Table])[] {
    const outer = this.take(name) ?? {};
    if (!isTable(outer)) throw this.wrong(name, 'must be a table');
    return Object.entries(outer).map(([inner, value]) => {
      if (!isTable(value)) throw this.wrong(`${name}.${inner}`, 'must be a table');
      return [inner, new Table(this.file, `${name}.${inner}`, value)] as const;
    });
  }

  /** Rejects when something is left that nobody asked for. */
  finish(): void {
    const [left] = this.values.keys();
    if (left !== undefined) throw this.wrong(left, 'is nothing that can be set');
  }

  private optionalText(name: string): string | undefined {
    const value = this.take(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string' || value === '') throw this.wrong(name, 'must be a text');
    return value;
  }

  private take(name: string): unknown {
    const value = this.values.get(name);
    this.values.delete(name);
    return value;
  }
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
