import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { CoreCopy } from './support/collect/core-copy.js';
import { MUTATIONS } from './support/collect/mutations.js';
import { SCENARIOS } from './support/collect/scenarios.js';
import { Sources } from './support/collect/world.js';

const RULES = Array.from({ length: 13 }, (_, i) => `R${i + 1}`);

let sources: Sources;

beforeAll(() => {
  sources = new Sources();
});
afterAll(() => sources[Symbol.dispose]());

describe('taking a rule of deletion away is noticed', () => {
  it.each(MUTATIONS.map((mutation) => [mutation.rule, mutation] as const))('%s', async (_, mutation) => {
    using copy = await CoreCopy.load(mutation);
    const scenarios = SCENARIOS.filter(({ name }) => name.includes(mutation.caughtBy));
    expect(scenarios.length).toBeGreaterThan(0);
    const outcomes: string[] = [];
    for (const scenario of scenarios) {
      outcomes.push(
        await scenario.run(copy.core, sources).then(
          () => 'unnoticed',
          (error: unknown) => String(error),
        ),
      );
    }
    expect(outcomes.filter((outcome) => outcome !== 'unnoticed')).not.toEqual([]);
  });

  it('of every rule from R1 to R13', () => {
    const rules = new Set(MUTATIONS.map(({ rule }) => rule.split(' ')[0]));
    expect([...rules]).toEqual(RULES);
  });
});

/** A row of the page: `| R3 Order | … | `verbs/backup.ts`, … |`. */
const ROW = /^\| (R\d+) [^|]+\|[^|]+\|([^|]+)\|$/gm;

describe('the rules of the design page', () => {
  const page = readFileSync(new URL('../../../docs/design/deletion.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(ROW)];

  it('are named by a story each', () => {
    expect(rows.map(([, rule]) => rule)).toEqual(RULES);
    const cited = new Set(SCENARIOS.flatMap(({ name }) => name.match(/R\d+/g) ?? []));
    expect(RULES.filter((rule) => !cited.has(rule))).toEqual([]);
  });

  it.each(rows.map(([, rule = '', places = '']) => [rule, places]))(
    '%s is named where it is implemented',
    (rule, places) => {
      const files = places.match(/[\w/-]+\.ts/g) ?? [];
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) {
        expect(readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8')).toMatch(
          new RegExp(`rules? .*\\b${rule}\\b`),
        );
      }
    },
  );
});
