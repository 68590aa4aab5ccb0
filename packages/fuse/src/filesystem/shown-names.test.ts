import { describe, expect, it } from 'vitest';

import { distinctNames, fileName } from './shown-names.ts';

describe('names of archives as names of files', () => {
  it('are what a file can be called, and differ', () => {
    expect(fileName('a/b')).toBe('a_b');
    expect(fileName('..')).toBe('_..');
    expect(fileName('')).toBe('_');
    expect(fileName('x'.repeat(300))).toHaveLength(255);
    const same = [
      { id: '1111111122', name: 'a/b' },
      { id: '2222222211', name: 'a_b' },
      { id: '3', name: 'c' },
    ];
    expect([...distinctNames(same).keys()]).toEqual(['a_b~11111111', 'a_b~22222222', 'c']);
  });
});
