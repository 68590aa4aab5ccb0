import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';

import { simulate } from './simulation.ts';

const STEPS = 600;

describe('the simulator', () => {
  it('gives the same run for the same seed', async () => {
    const steps: string[][] = [[], []];
    for (const list of steps) await simulate({ seed: 'again', steps: STEPS, onStep: (_, what) => list.push(what) });
    expect(steps[0]).toEqual(steps[1]);
    expect(steps[0]).toHaveLength(STEPS);
  });

  const seeds = ['1', '2', '3', '4', '5', '6', randomBytes(4).toString('hex')];
  it.each(seeds)(`finds nothing wrong in ${STEPS} steps (seed %s)`, async (seed) => {
    const report = await simulate({ seed, steps: STEPS });
    expect(report.archives).toBeGreaterThan(0);
  });
});
