import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import * as core from '../dist/index.js';
import { exploreChecks, exploreSwitches, randomWalk } from './support/collect/walks.js';
import { Sources } from './support/collect/world.js';

/** More of it for a night: `CAIRN_WALKS=2000 npx vitest run packages/core/test/collect-walks.test.ts`. */
const WALKS = Number(process.env['CAIRN_WALKS'] ?? 30);
const FIRST = Number(process.env['CAIRN_WALK'] ?? 0);

let sources: Sources;

beforeAll(() => {
  sources = new Sources();
});
afterAll(() => sources[Symbol.dispose]());

describe('a writer and a collector whose steps are mixed', () => {
  it.each([
    ['condemns', {}],
    ['does all at once', { graceMs: 0, maxUnused: 0 }],
  ])('with two changes of turns: it %s', async (_, options) => {
    expect(await exploreSwitches(core, sources, options, WALKS)).toEqual([]);
  });
});

describe('a check and a collector whose steps are mixed', () => {
  it('with two changes of turns: nothing is said to be wrong', async () => {
    expect(await exploreChecks(core, sources, 2 * WALKS)).toEqual([]);
  });
});

describe('writers, collectors, readers and pins, with deaths, late puts and time that passes', () => {
  it(`lose nothing in ${WALKS} random walks (CAIRN_WALK=N replays walk N)`, async () => {
    for (let walk = FIRST; walk < FIRST + WALKS; walk++) {
      const mistakes = await randomWalk(core, sources, walk);
      expect(mistakes, `walk ${walk}`).toEqual([]);
    }
  });
});
