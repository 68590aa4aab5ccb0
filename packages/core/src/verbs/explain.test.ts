import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Selection, type SelectionOptions } from '../scan/selection.ts';
import { explainSource } from './explain.ts';

let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'cairn-explain-'));
  mkdirSync(join(home, 'marked'));
  writeFileSync(join(home, 'marked', '.nobackup'), '');
  writeFileSync(join(home, 'large'), Buffer.alloc(2000));
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

function taken(options: SelectionOptions, path: string): boolean {
  return explainSource(new Selection(options), [home], join(home, path)).taken;
}

describe('explainSource', () => {
  it('looks at what is there', () => {
    expect(taken({ excludeIfPresent: ['.nobackup'] }, 'marked/x')).toBe(false);
    expect(taken({ excludeLargerThan: 1000 }, 'large')).toBe(false);
    expect(taken({ excludeLargerThan: 3000 }, 'large')).toBe(true);
    expect(taken({ excludes: ['large/'] }, 'large')).toBe(true);
  });

  it('takes what leads to an absent path for directories', () => {
    expect(taken({ excludes: ['cache/'] }, 'no/cache/x')).toBe(false);
    expect(taken({ excludes: ['cache/'] }, 'no/cache')).toBe(true);
    expect(taken({ excludes: ['x'] }, 'no/cache/x')).toBe(false);
  });

  it('finds no marks in directories that are not there', () => {
    const options = { excludeCaches: true, excludeIfPresent: ['.nobackup'], excludeNodump: true, oneFileSystem: true };
    expect(taken(options, 'no/such/file')).toBe(true);
  });

  it('says when no source leads to a path', () => {
    const { taken: isTaken, text } = explainSource(new Selection({}), [home], '/elsewhere');
    expect(isTaken).toBe(false);
    expect(text).toContain('in none of the sources');
  });
});
