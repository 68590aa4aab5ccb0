import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { fromUtf8 } from '../host/byte-path.ts';
import { ExcludeRules } from './exclude.ts';
import { PRESETS } from './presets.ts';

const guide = readFileSync(new URL('../../../../docs/guides/exclude.md', import.meta.url), 'utf8');

const tables = guide.split(/\n\n/).filter((block) => block.startsWith('| '));

function codeIn(cell: string | undefined): string[] {
  return Array.from((cell ?? '').matchAll(/`([^`]+)`/g), (match) => match[1] ?? '');
}

function rows(column: string): string[][] {
  return tables
    .filter((table) => table.startsWith(`| ${column} `))
    .flatMap((table) => table.split('\n').slice(2))
    .map((row) => row.split('|').slice(1));
}

/** The guide writes directories with a slash at their end. */
function excludes(rules: ExcludeRules, shown: string): boolean {
  return rules.decide(fromUtf8(shown.replace(/\/$/, '')), shown.endsWith('/')).excluded;
}

const examples = rows('pattern').map((cells) => ({
  pattern: codeIn(cells[0])[0] ?? '',
  out: codeIn(cells[1]),
  kept: codeIn(cells[2]),
}));

describe('docs/guides/exclude.md', () => {
  it.each(examples)('tells the truth about $pattern', ({ pattern, out, kept }) => {
    const rules = new ExcludeRules([{ pattern, origin: 'option' }]);
    expect([out.length > 0, kept.length > 0]).toEqual([true, true]);
    for (const path of out) expect([path, excludes(rules, path)]).toEqual([path, true]);
    for (const path of kept) expect([path, excludes(rules, path)]).toEqual([path, false]);
  });

  it('has examples', () => {
    expect(examples.length).toBeGreaterThan(15);
  });

  it('lists every preset', () => {
    expect(rows('preset').map((cells) => codeIn(cells[0])[0])).toEqual(PRESETS.map((preset) => preset.name));
  });
});
