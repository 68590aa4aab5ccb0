import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ExcludeRules } from './exclude.ts';
import { parseExcludeFile } from './exclude-file.ts';

/** Every directory of the tree holds all of these, to this depth; the last two names are files. */
const NAMES = ['a', 'ab', 'b.c', '.a', 'B c', 'a]'];
const FILES = 2;
const DEPTH = 3;

interface Place {
  readonly path: string;
  readonly isDirectory: boolean;
}

function placesBelow(path: string, depth: number): Place[] {
  return NAMES.flatMap((name, i) => {
    const isDirectory = i < NAMES.length - FILES && depth < DEPTH;
    const place = { path: `${path}/${name}`, isDirectory };
    return isDirectory ? [place, ...placesBelow(place.path, depth + 1)] : [place];
  });
}

// No double star beside other characters: git-check-ignore(1) cuts off a literal start first and then takes `a**/b` for `a` and `**/b`.
const parts = ['a', 'b', 'c', '.', '*', '?', '[ab]', '[!a]', '[^b-z]', '[]a]', '[a\\]]', '[[:lower:]]', '\\a'];

const components = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...NAMES) },
  { weight: 1, arbitrary: fc.constantFrom('**', '***') },
  {
    weight: 3,
    arbitrary: fc
      .array(fc.constantFrom(...parts), { minLength: 1, maxLength: 4 })
      .map((list) => list.join(''))
      .filter((name) => !name.includes('**')),
  },
);

interface Line {
  readonly ours: string;
  readonly git: string;
}

/** Git anchors a pattern with a slash in its middle and we do not: there, its word for our meaning begins with two stars. */
const lines = fc
  .record({
    negation: fc.constantFrom('', '', '', '!'),
    start: fc.constantFrom('', '', '/'),
    names: fc.array(components, { minLength: 1, maxLength: 3 }),
    end: fc.constantFrom('', '', '/'),
  })
  .filter(({ names }) => !names.includes('.') && !names.includes('..'))
  .map(({ negation, start, names, end }): Line => {
    const ours = `${negation}${start}${names.join('/')}${end}`;
    const isLoose = start === '' && names.length > 1;
    return { ours, git: isLoose ? `${negation}**/${names.join('/')}${end}` : ours };
  });

describe('the default style beside git check-ignore', () => {
  const tree = mkdtempSync(join(tmpdir(), 'cairn-patterns-'));
  const places = placesBelow('', 1);

  function git(args: readonly string[], input = ''): string {
    const env = { PATH: process.env['PATH'], HOME: tree, GIT_CONFIG_NOSYSTEM: '1' };
    const result = spawnSync('git', ['-C', tree, ...args], { input, env, encoding: 'utf8' });
    if (result.error !== undefined) throw result.error;
    if (result.status !== 0 && result.status !== 1) throw new Error(result.stderr);
    return result.stdout;
  }

  function ignoredByGit(): string[] {
    const asked = places.map((place) => place.path.slice(1)).join('\0');
    const fields = git(['check-ignore', '--no-index', '--verbose', '--stdin', '-z'], asked).split('\0');
    const ignored: string[] = [];
    for (let i = 0; i + 3 < fields.length; i += 4) {
      if (fields[i + 2]?.startsWith('!') === false) ignored.push(`/${fields[i + 3]}`);
    }
    return ignored;
  }

  function excludedByUs(patterns: string): string[] {
    const rules = new ExcludeRules(parseExcludeFile(Buffer.from(patterns), 'list'));
    const excluded = new Set<string>();
    for (const { path, isDirectory } of places) {
      const parent = path.slice(0, path.lastIndexOf('/'));
      if (excluded.has(parent) || rules.decide(path, isDirectory).excluded) excluded.add(path);
    }
    return [...excluded];
  }

  beforeAll(() => {
    git(['init', '-q']);
    for (const { path, isDirectory } of places) {
      if (isDirectory) mkdirSync(join(tree, path), { recursive: true });
      else writeFileSync(join(tree, path), '');
    }
  });

  afterAll(() => rmSync(tree, { recursive: true }));

  it('leaves out the same entries', () => {
    fc.assert(
      fc.property(fc.array(lines, { minLength: 1, maxLength: 4 }), (list) => {
        writeFileSync(join(tree, '.git/info/exclude'), list.map((line) => `${line.git}\n`).join(''));
        expect(excludedByUs(list.map((line) => line.ours).join('\n'))).toEqual(ignoredByGit());
      }),
      { numRuns: 400 },
    );
  });
});
