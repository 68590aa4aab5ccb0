// @ts-check
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const page = readFileSync(path.join(root, 'docs/reference/comparison.md'), 'utf8');

/** Letter of each system and the number of its features, by the lists that the page was made from. */
const FEATURES = /** @type {const} */ ({ M: 30, Y: 32, D: 23, R: 12, O: 37 });

/** @type {{ id: string, here: string, proof: string }[]} */
const rows = [...page.matchAll(/^\| ([A-Z]\d+) +\|[^|]*\|([^|]*)\|([^|]*)\|$/gm)].map(
  ([, id = '', here = '', proof = '']) => {
    return { id, here: here.trim(), proof: proof.trim() };
  },
);

describe('the comparison with other systems', () => {
  it('has each feature once, in order', () => {
    const expected = Object.entries(FEATURES).flatMap(([letter, count]) =>
      Array.from({ length: count }, (_, at) => `${letter}${at + 1}`),
    );
    expect(rows.map(({ id }) => id)).toEqual(expected);
  });

  it('names a test for each, or says why it is not done', () => {
    const bare = rows.filter(({ proof, here }) => !proof.includes('`') && !/^not done: ./.test(here));
    expect(bare).toEqual([]);
    const contradictory = rows.filter(({ proof, here }) => proof.includes('`') && here.startsWith('not done'));
    expect(contradictory).toEqual([]);
  });

  it('names only tests that exist', () => {
    const named = rows.flatMap(({ proof }) => [...proof.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file));
    expect(named.length).toBeGreaterThan(100);
    const absent = named.filter((file) => !/\.test\.(ts|mjs)$/.test(file) || !existsSync(path.join(root, file)));
    expect([...new Set(absent)]).toEqual([]);
  });
});
