import { describe, expect, it } from 'vitest';

import { ExcludeRules } from './exclude.ts';
import { parseExcludeFile } from './exclude-file.ts';

function patternsOf(text: string): string[] {
  return parseExcludeFile(Buffer.from(text), 'x').map((rule) => rule.pattern);
}

describe('parseExcludeFile', () => {
  it('gives one rule per line, with its line', () => {
    const text = '# comment\n\n/home/a\n   \n!/home/a/b\n  # indented comment\n*.o';
    expect(parseExcludeFile(Buffer.from(text), '/etc/list')).toEqual([
      { pattern: '/home/a', origin: 'file /etc/list line 3' },
      { pattern: '!/home/a/b', origin: 'file /etc/list line 5' },
      { pattern: '*.o', origin: 'file /etc/list line 7' },
    ]);
  });

  it.each([
    ['a \t', ['a']],
    ['  a', ['a']],
    ['a\\ ', ['a\\ ']],
    ['a\\  ', ['a\\ ']],
    ['a\\\\ ', ['a\\\\']],
    ['\\ a', ['\\ a']],
    ['a b', ['a b']],
    ['\\#a\n\\!b', ['\\#a', '\\!b']],
    ['a\r\nb\r\n', ['a', 'b']],
    ['\ufeffa\nb', ['a', 'b']],
    ['a#b', ['a#b']],
    ['', []],
  ])('%j', (text, expected) => {
    expect(patternsOf(text)).toEqual(expected);
  });

  it('reads names that its escapes protect', () => {
    const rules = new ExcludeRules(parseExcludeFile(Buffer.from('\\#a\n\\!b\nc\\ \n\\ d'), 'x'));
    for (const path of ['/#a', '/!b', '/c ', '/ d'])
      expect([path, rules.decide(path, false).excluded]).toEqual([path, true]);
  });

  it('keeps bytes that are no UTF-8', () => {
    const rules = new ExcludeRules(parseExcludeFile(Buffer.from('caf\xe9\n/x\xff/*', 'latin1'), 'x'));
    expect(rules.decide('/a/caf\xe9', false).excluded).toBe(true);
    expect(rules.decide('/a/caf\xc3\xa9', false).excluded).toBe(false);
    expect(rules.decide('/x\xff/a', false).excluded).toBe(true);
  });
});
