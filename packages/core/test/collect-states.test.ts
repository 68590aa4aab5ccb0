import { afterAll, beforeAll, describe, it } from 'vitest';

import * as core from '../dist/index.js';
import { SCENARIOS } from './support/collect/scenarios.js';
import { Sources } from './support/collect/world.js';

let sources: Sources;

beforeAll(() => {
  sources = new Sources();
});
afterAll(() => sources[Symbol.dispose]());

describe('clients that get in each other’s way', () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('%s', async (_, scenario) => {
    await scenario.run(core, sources);
  });
});
