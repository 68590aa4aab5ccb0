/** Path of a value: names of tables and keys, and numbers of what stands in arrays. */
export type ValuePath = readonly PropertyKey[];

const HEADER = /^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$/;
const KEY = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/;
const LONG_TEXT = /"""|'''/g;

/**
 * The line, from 1, of a TOML text at which a value stands, or else of the nearest table around it; undefined when there is
 * neither. The text is known to be TOML: this only looks for headers and keys, outside of texts of several lines.
 */
export function lineOf(text: string, path: ValuePath): number | undefined {
  let best: { readonly line: number; readonly length: number } | undefined;
  let table: PropertyKey[] = [];
  const counts = new Map<string, number>();
  let longText: string | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const wasInText = longText !== undefined;
    for (const [mark] of line.matchAll(LONG_TEXT)) {
      if (longText === undefined) longText = mark;
      else if (longText === mark) longText = undefined;
    }
    if (wasInText) continue;
    const header = HEADER.exec(line);
    const key = header === null ? KEY.exec(line) : null;
    if (header !== null) table = tableOf(header[1] === '[[', partsOf(header[2] ?? ''), counts);
    else if (key === null) continue;
    const here = key === null ? table : [...table, ...partsOf(key[1] ?? '')];
    if (isPrefix(here, path) && here.length > (best?.length ?? 0)) best = { line: index + 1, length: here.length };
  }
  return best?.line;
}

/** A header's table, with the number of each array of tables on the way. */
function tableOf(isArray: boolean, parts: readonly string[], counts: Map<string, number>): PropertyKey[] {
  const table: PropertyKey[] = [];
  for (const [at, part] of parts.entries()) {
    table.push(part);
    const name = parts.slice(0, at + 1).join('\0');
    if (isArray && at === parts.length - 1) counts.set(name, (counts.get(name) ?? -1) + 1);
    const count = counts.get(name);
    if (count !== undefined) table.push(count);
  }
  return table;
}

function partsOf(text: string): string[] {
  const parts = text.match(/[\w-]+|"[^"]*"|'[^']*'/g) ?? [];
  return parts.map((part) => part.replace(/^(["'])(.*)\1$/, '$2'));
}

function isPrefix(short: ValuePath, long: ValuePath): boolean {
  return short.length <= long.length && short.every((part, at) => String(part) === String(long[at]));
}
