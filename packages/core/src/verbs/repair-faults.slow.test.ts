import { beforeAll, describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { FaultyStore, type Fault } from '../testing/faulty-store.ts';
import {
  check,
  codes,
  copyOf,
  damage,
  flip,
  labels,
  packs,
  repair,
  soundSample,
  storeOf,
  type Sample,
} from '../testing/repair-scratch.ts';
import { applyRepair, planRepair } from './repair.ts';

let good: Sample;
beforeAll(async () => {
  good = await soundSample();
});

describe.each([
  ['fails one call', 'before', 1],
  ['fails one call, after it was done', 'after', 1],
  ['is gone from a call on, as after a crash', 'before', Infinity],
] as const)('a store that %s', (_how, when, times) => {
  it('is not worse off, and the next repair does the rest', async () => {
    const hurt = copyOf(good);
    const [segment = ''] = labels(hurt, 'index/');
    damage(hurt, segment, flip(100));
    damage(hurt, packs(hurt)[0] ?? '', flip(-3050));
    hurt.objects.delete(packs(hurt)[2] ?? '');
    const reference = copyOf(hurt);
    await repair(reference, { data: true });
    const wanted = await check(reference);
    let at = 1;
    for (let finished = false; !finished; at++) {
      const copy = copyOf(hurt);
      const fault: Fault = { at, when, times };
      const store = new FaultyStore(storeOf(copy), [fault]);
      let error: unknown;
      try {
        const access = await copy.builder.access(store);
        await applyRepair(access, await planRepair(access, { threads: 0, data: true }));
      } catch (caught) {
        error = caught;
      }
      finished = store.operations < at;
      if (error !== undefined) expect(isCairnError(error), String(error)).toBe(true);
      for (const [label, { body }] of hurt.objects) expect(copy.objects.get(label)?.body).toEqual(body);
      await repair(copy, { data: true });
      const after = await check(copy);
      expect([codes(after), after.affected]).toEqual([codes(wanted), wanted.affected]);
    }
    expect(at).toBeGreaterThan(10);
  });
});
