import { describe, expect, it } from 'vitest';

import { selfTest } from './self-test.ts';

describe('the test of this machine', () => {
  it('finds what a backup relies on', async () => {
    const results = await selfTest();
    expect(results.map(({ name }) => name)).toEqual([
      'system calls',
      'cryptography',
      'second opinion',
      'argon2id',
      'chunker',
      'compression',
    ]);
    for (const { name, state, detail } of results) {
      expect(state, `${name}: ${detail}`).not.toBe('failed');
      expect(detail).not.toBe('');
    }
  });
});
