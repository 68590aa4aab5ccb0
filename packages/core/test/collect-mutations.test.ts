import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { CoreCopy } from './support/collect/core-copy.js';
import { MUTATIONS } from './support/collect/mutations.js';
import { SCENARIOS } from './support/collect/scenarios.js';
import { Sources } from './support/collect/world.js';

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
    expect([...rules]).toEqual(Array.from({ length: 13 }, (__, i) => `R${i + 1}`));
  });
});
