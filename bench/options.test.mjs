// @ts-check
import { describe, expect, it } from 'vitest';
import { readOptions, UsageError } from './options.mjs';
import { operationsOf, rotate } from './plan.mjs';

describe('options', () => {
  it('only calls a full-size run with everything in it complete', () => {
    expect(readOptions([]).complete).toBe(true);
    expect(readOptions(['--only', 'tree']).complete).toBe(true);
    for (const partial of [
      ['--quick'],
      ['--runs', '2'],
      ['--scale', '0.5'],
      ['--ops', 'ls'],
      ['--programs', 'cairn'],
    ]) {
      expect(readOptions(partial).complete).toBe(false);
    }
  });

  it('lets explicit numbers win over --quick', () => {
    expect(readOptions(['--quick', '--runs', '4'])).toMatchObject({ runs: 4, scale: 0.1 });
  });

  it('names what it does not know', () => {
    expect(() => readOptions(['--ops', 'first,prune'])).toThrow(/does not know prune; it knows first/);
    expect(() => readOptions(['--only', 'huge'])).toThrow(UsageError);
    expect(() => readOptions(['--scale', 'x'])).toThrow(UsageError);
    expect(() => readOptions(['--runs', '1.5'])).toThrow(UsageError);
    expect(() => readOptions(['--fast'])).toThrow(UsageError);
  });

  it('always runs the first backup, and the insertion with the changes of the image only', () => {
    expect(operationsOf('tree', ['changed', 'ls'], false)).toEqual(['first', 'changed', 'ls']);
    expect(operationsOf('image', ['changed'], false)).toEqual(['first', 'changed', 'inserted']);
    expect(operationsOf('tree', ['ls'], true)).toEqual(['first', 'unchanged-passphrase', 'ls']);
  });

  it('gives every program the first turn once', () => {
    expect([0, 1, 2, 3].map((round) => rotate(['a', 'b', 'c'], round).join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
  });
});
