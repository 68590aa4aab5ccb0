import { describe, expect, it } from 'vitest';

import { ENTRY_KIND, type EntryKind } from '../tree/entry.ts';
import { Selection, type ScannedEntry, type SelectionOptions } from './selection.ts';
import { CACHEDIR_TAG_SIGNATURE } from './tags.ts';

interface Facts {
  readonly kind?: EntryKind;
  readonly size?: number;
  readonly device?: number;
  readonly nodump?: boolean;
  readonly holds?: readonly string[];
  readonly tag?: string;
}

/** An entry that counts what is asked of it. */
class Entry implements ScannedEntry {
  readonly path: string;
  readonly kind: EntryKind;
  readonly size: number;
  readonly device: number;
  readonly parentDevice = 1;
  readonly asked: string[] = [];
  private readonly facts: Facts;

  constructor(path: string, facts: Facts = {}) {
    this.path = path;
    this.kind = facts.kind ?? ENTRY_KIND.directory;
    this.size = facts.size ?? 0;
    this.device = facts.device ?? 1;
    this.facts = facts;
  }

  hasNodump(): boolean {
    this.asked.push('nodump');
    return this.facts.nodump === true;
  }

  probe(name: string): boolean {
    this.asked.push(name);
    return this.facts.holds?.includes(name) === true;
  }

  readCacheTag(): Uint8Array | undefined {
    this.asked.push('tag');
    return this.facts.tag === undefined ? undefined : new TextEncoder().encode(this.facts.tag);
  }
}

function decide(options: SelectionOptions, path: string, facts: Facts = {}): unknown {
  return new Selection(options).decide(new Entry(path, facts));
}

const file = ENTRY_KIND.file;

describe('Selection', () => {
  it('takes all without options, and asks for nothing', () => {
    const entry = new Entry('/a', { nodump: true, device: 2, tag: CACHEDIR_TAG_SIGNATURE });
    expect(new Selection({}).decide(entry)).toEqual({ action: 'take' });
    expect(entry.asked).toEqual([]);
  });

  it('orders presets, files and options, so that the last decides', () => {
    const list = { name: 'list', content: Buffer.from('!/home/a/.cache/\n*.iso\n') };
    const options = { excludes: ['!keep.iso'], presets: ['caches'], excludeFiles: [list] };
    expect(decide({ presets: ['caches'] }, '/home/a/.cache')).toEqual({
      action: 'skip',
      reason: {
        kind: 'pattern',
        text: 'rule `/home/*/.cache/` from preset caches',
        rule: { pattern: '/home/*/.cache/', origin: 'preset caches' },
      },
    });
    expect(decide(options, '/home/a/.cache')).toMatchObject({
      action: 'take',
      reason: { text: 'rule `!/home/a/.cache/` from file list line 1' },
    });
    expect(decide(options, '/x.iso', { kind: file })).toMatchObject({
      action: 'skip',
      reason: { text: 'rule `*.iso` from file list line 2' },
    });
    expect(decide(options, '/keep.iso', { kind: file })).toMatchObject({
      action: 'take',
      reason: { text: 'rule `!keep.iso` given as an option' },
    });
  });

  it('keeps a tagged cache directory with its tag and nothing else', () => {
    const options = { excludeCaches: true };
    expect(decide(options, '/a', { tag: `${CACHEDIR_TAG_SIGNATURE}\n` })).toEqual({
      action: 'skip-content',
      keep: ['CACHEDIR.TAG'],
      reason: { kind: 'cachedir', text: 'its CACHEDIR.TAG says that it is a cache' },
    });
    expect(decide(options, '/a', { tag: 'something else' })).toEqual({ action: 'take' });
    expect(decide(options, '/a')).toEqual({ action: 'take' });
    expect(decide(options, '/a', { kind: file, tag: CACHEDIR_TAG_SIGNATURE })).toEqual({ action: 'take' });
  });

  it('keeps a marked directory with its marker', () => {
    const options = { excludeIfPresent: ['.nobackup', 'größe'] };
    expect(decide(options, '/a', { holds: ['gr\xc3\xb6\xc3\x9fe'] })).toEqual({
      action: 'skip-content',
      keep: ['gr\xc3\xb6\xc3\x9fe'],
      reason: { kind: 'marker', text: 'it holds `größe`' },
    });
    expect(decide(options, '/a', { holds: ['x'] })).toEqual({ action: 'take' });
  });

  it('stops at mounts, at directories only', () => {
    const options = { oneFileSystem: true };
    expect(decide(options, '/a', { device: 2 })).toEqual({
      action: 'skip-content',
      keep: [],
      reason: { kind: 'mount', text: 'it is on another file system than the directory around it' },
    });
    expect(decide(options, '/a', { device: 2, kind: file })).toEqual({ action: 'take' });
    expect(decide(options, '/a', { device: 1 })).toEqual({ action: 'take' });
  });

  it('heeds nodump where it can be set', () => {
    const options = { excludeNodump: true };
    expect(decide(options, '/a', { nodump: true })).toMatchObject({ action: 'skip', reason: { kind: 'nodump' } });
    expect(decide(options, '/a', { nodump: true, kind: file })).toMatchObject({ action: 'skip' });
    const fifo = new Entry('/a', { nodump: true, kind: ENTRY_KIND.fifo });
    expect(new Selection(options).decide(fifo)).toEqual({ action: 'take' });
    expect(fifo.asked).toEqual([]);
  });

  it('leaves out files larger than the limit, not those of exactly that size', () => {
    const options = { excludeLargerThan: 100 };
    expect(decide(options, '/a', { kind: file, size: 100 })).toEqual({ action: 'take' });
    expect(decide(options, '/a', { kind: file, size: 101 })).toEqual({
      action: 'skip',
      reason: { kind: 'size', text: 'it has 101 bytes, and files of more than 100 are excluded' },
    });
    expect(decide(options, '/a', { size: 101 })).toEqual({ action: 'take' });
    expect(decide({ excludeLargerThan: 0 }, '/a', { kind: file, size: 1 })).toMatchObject({ action: 'skip' });
  });

  it("leaves Cairn's own data out, whatever the rules say", () => {
    const options = { storePaths: ['/srv/repo'], excludes: ['!/srv/repo'] };
    expect(decide(options, '/srv/repo')).toMatchObject({ action: 'skip', reason: { kind: 'store' } });
    expect(decide(options, '/srv/repo2')).toEqual({ action: 'take' });
  });

  it('lets a re-including rule beat patterns only', () => {
    const options = { excludes: ['*.iso', '!a.iso'], excludeLargerThan: 10 };
    expect(decide(options, '/a.iso', { kind: file, size: 11 })).toMatchObject({
      action: 'skip',
      reason: { kind: 'size' },
    });
  });

  it('asks for nothing about what a pattern leaves out', () => {
    const entry = new Entry('/a');
    new Selection({ excludes: ['a'], excludeNodump: true, excludeCaches: true, excludeIfPresent: ['x'] }).decide(entry);
    expect(entry.asked).toEqual([]);
  });

  it.each([
    [{ excludes: ['['] }, 'pattern `[` (an option): '],
    [{ presets: ['x'] }, 'there is no preset `x`'],
    [
      { excludeFiles: [{ name: 'list', content: Buffer.from('a\n\nsh:\n') }] },
      'pattern `sh:` (file list line 3): it is empty',
    ],
    [{ excludeIfPresent: ['a/b'] }, '"a/b" is no name of a marker file'],
    [{ excludeIfPresent: [''] }, '"" is no name of a marker file'],
    [{ excludeLargerThan: -1 }, '-1 is no size to exclude files by'],
    [{ excludeLargerThan: Number.NaN }, 'NaN is no size to exclude files by'],
  ])('refuses %j', (options: SelectionOptions, message) => {
    expect(() => new Selection(options)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => new Selection(options)).toThrow(message);
  });
});
