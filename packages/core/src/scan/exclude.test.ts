import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ExcludeRules } from './exclude.ts';
import type { RuleSource } from './pattern.ts';
import { PRESETS } from './presets.ts';

function rules(...patterns: string[]): ExcludeRules {
  return new ExcludeRules(patterns.map((pattern): RuleSource => ({ pattern, origin: 'option' })));
}

const PATTERNS = [
  'a',
  'b',
  '/a',
  '/a/b',
  'a/b',
  '/a/b/',
  'b/',
  '*.c',
  'x.c',
  '*.b.c',
  '*',
  '[ab]',
  '/a/*',
  '/*/b',
  '**/b',
  '/a/**',
  'a*',
  '?',
  'sh:a/*',
  'fm:*b',
  're:b$',
  'pp:a',
  'pf:a/b',
  'pf:/x.c',
  'pf:a',
  'b.c',
  '/**/x.c',
];

const patterns = fc.constantFrom(...PATTERNS);
const paths = fc
  .array(fc.constantFrom('a', 'b', 'x.c', '.c', 'a.b.c', 'b.c'), { minLength: 1, maxLength: 3 })
  .map((names) => `/${names.join('/')}`);

describe('ExcludeRules', () => {
  it('lets the last matching rule decide, and pf: before all', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), patterns), { maxLength: 8 }),
        fc.array(paths, { minLength: 1, maxLength: 10 }),
        fc.boolean(),
        (list, samples, isDirectory) => {
          const written = list.map(([isReinclude, pattern]) => `${isReinclude ? '!' : ''}${pattern}`);
          const all = rules(...written);
          for (const path of samples) {
            const matching = written.filter((pattern) => rules(pattern).decide(path, isDirectory).rule !== undefined);
            const last = matching.findLast((pattern) => /^!?pf:/.test(pattern)) ?? matching.at(-1);
            const decision = all.decide(path, isDirectory);
            expect(decision.rule?.pattern).toBe(last);
            expect(decision.excluded).toBe(last !== undefined && !last.startsWith('!'));
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('names the rule and its origin', () => {
    const list = new ExcludeRules([
      { pattern: '.cache/', origin: 'preset caches' },
      { pattern: '*.iso', origin: 'file /etc/x line 3' },
    ]);
    expect(list.decide('/home/a/.cache', true)).toEqual({
      excluded: true,
      rule: { pattern: '.cache/', origin: 'preset caches' },
    });
    expect(list.decide('/a.iso', false).rule?.origin).toBe('file /etc/x line 3');
    expect(list.decide('/home/a', true)).toEqual({ excluded: false });
  });

  it('says nothing without rules', () => {
    expect(rules().isEmpty).toBe(true);
    expect(rules().decide('/a', false)).toEqual({ excluded: false });
  });

  it('says nothing about the root', () => {
    expect(rules('*', '/*', '**', 'fm:*', 're:x').decide('/', true).excluded).toBe(false);
  });

  it('takes time in proportion to a hostile name', () => {
    const name = 'a'.repeat(255);
    const list = rules(
      '*a*a*a*a*a*a*a*a*b',
      '/**/**/**/*a*a*a*b',
      'fm:*a*a*a*a*a*a*b',
      'sh:**/**/**/a*a*a*a*b',
      're:(a*)*b',
    );
    const start = performance.now();
    const path = `/${Array(15).fill(name).join('/')}`;
    for (let i = 0; i < 100; i += 1) expect(list.decide(path, false).excluded).toBe(false);
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it('decides about 100,000 paths by all presets in a moment', { retry: 2 }, () => {
    const list = rules(...PRESETS.flatMap((preset) => preset.excludes), '*~', '.#*', 'core.[0-9]*', 're:\\.tmp$');
    const start = performance.now();
    let excluded = 0;
    for (let i = 0; i < 100_000; i += 1) {
      const path = `/home/user${i % 10}/projects/project-${i % 100}/source/module-${i % 1_000}/file-${i}.${i % 4 ? 'ts' : 'tmp'}`;
      if (list.decide(path, false).excluded) excluded += 1;
    }
    expect(excluded).toBe(25_000);
    expect(performance.now() - start).toBeLessThan(3_000);
  });

  it('finds one of many literal paths at once', { retry: 2 }, () => {
    const list = rules(...Array.from({ length: 50_000 }, (_, i) => `/data/${i}/index`));
    const start = performance.now();
    let excluded = 0;
    for (let i = 0; i < 50_000; i += 1) if (list.decide(`/data/${i}/index`, false).excluded) excluded += 1;
    expect(excluded).toBe(50_000);
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});
