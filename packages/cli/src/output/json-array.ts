import type { Json } from '@cairn/api/shapes';

import type { Stdout } from './stdout.ts';

/** Writes a JSON array item by item, one to a line, so that a long list needs no memory. */
export class JsonArray {
  private readonly output: Stdout;
  private held: string | undefined;

  constructor(output: Stdout) {
    this.output = output;
  }

  /** Gives a promise only when the reader must be waited for. */
  add(item: Json): Promise<void> | undefined {
    const text = JSON.stringify(item);
    const line = this.held === undefined ? '[' : `${this.held},`;
    this.held = text;
    return this.output.line(line);
  }

  async end(): Promise<void> {
    await this.output.line(this.held === undefined ? '[]' : `${this.held}\n]`);
  }
}
