import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { resolveSource } from './resolve-source.ts';

let directory: string;

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'cairn-source-')));
  mkdirSync(join(directory, 'real', 'below'), { recursive: true });
  symlinkSync('real', join(directory, 'link'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('the path of a source', () => {
  it('has real directories on the way to it', () => {
    expect(resolveSource(join(directory, 'link', 'below'))).toBe(join(directory, 'real', 'below'));
    expect(resolveSource(`${directory}//link/./below`)).toBe(join(directory, 'real', 'below'));
  });

  it('is the link itself, or what it leads to when the path ends with a slash', () => {
    expect(resolveSource(join(directory, 'link'))).toBe(join(directory, 'link'));
    expect(resolveSource(`${directory}/link/`)).toBe(join(directory, 'real'));
    expect(resolveSource(`${directory}/link/.`)).toBe(join(directory, 'real'));
    expect(resolveSource(`${directory}/link/below/..`)).toBe(join(directory, 'real'));
  });

  it('starts at the working directory when it is relative', () => {
    const here = realpathSync('.');
    expect(resolveSource('.')).toBe(here);
    expect(resolveSource('some-name-that-is-not-there')).toBe(join(here, 'some-name-that-is-not-there'));
    expect(resolveSource(relative(here, join(directory, 'real')))).toBe(join(directory, 'real'));
  });

  it('of the root is the root', () => {
    expect(resolveSource('/')).toBe('/');
    expect(resolveSource('//.')).toBe('/');
    expect(resolveSource('/etc')).toBe(realpathSync('/') + 'etc');
  });

  it('stays as given where nothing exists', () => {
    expect(resolveSource('/no/such/../place')).toBe('/no/place');
  });

  it('is bytes, whether they are UTF-8 or not', () => {
    expect(resolveSource(`${directory}/ü`)).toBe(`${directory}/\u00c3\u00bc`);
    expect(resolveSource(Buffer.from(`${directory}/\u00fc`, 'latin1'))).toBe(`${directory}/\u00fc`);
  });

  it.each(['', 'a\0b'])('refuses %j', (path) => {
    expect(() => resolveSource(path)).toThrowError(expect.objectContaining({ code: 'USAGE' }));
  });
});
