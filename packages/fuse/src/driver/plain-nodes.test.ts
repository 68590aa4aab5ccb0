import { expect, it } from 'vitest';

import { PlainNodes } from './plain-nodes.ts';

it('remembers nodes until others take their place', () => {
  const plain = new PlainNodes();
  expect(plain.has(3)).toBe(false);
  plain.add(3);
  plain.add(5);
  expect([plain.has(3), plain.has(5), plain.has(4)]).toEqual([true, true, false]);
  plain.add(3 + 65_536);
  expect([plain.has(3), plain.has(3 + 65_536)]).toEqual([false, true]);
});
