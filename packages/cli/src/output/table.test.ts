import { describe, expect, it } from 'vitest';

import { formatFacts, formatTable } from './table.ts';

describe('tables', () => {
  it('are as wide as they must be, numbers to the right, and end without blanks', () => {
    const rows = [
      ['name', 'size', ''],
      ['a', '12', 'note'],
      ['longer', '1,234', ''],
    ];
    expect(formatTable(rows, [1])).toEqual(['name     size', 'a          12  note', 'longer  1,234']);
  });

  it('of facts have the values below each other', () => {
    expect(
      formatFacts([
        ['id', '1'],
        ['fingerprint', '2'],
      ]),
    ).toEqual(['  id           1', '  fingerprint  2']);
  });

  it('may be empty', () => {
    expect(formatTable([])).toEqual([]);
  });
});
