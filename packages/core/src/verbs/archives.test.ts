import { describe, expect, it } from 'vitest';
import { isCairnError } from '../errors.ts';
import type { ArchiveDescriptor } from '../log/descriptor.ts';
import { LogState } from '../log/state.ts';
import { listArchives, resolveArchive } from './archives.ts';

const CHUNKER = { min: 1024, average: 2048, max: 4096 };

interface Given {
  readonly id: string;
  readonly series?: string;
  readonly name?: string;
  readonly host?: string;
  readonly tags?: readonly string[];
}

/** A log with these COMMITs, in this order. */
function logOf(...archives: readonly Given[]): LogState {
  const state = new LogState();
  archives.forEach(({ id, series = 'web', name, host = 'h1', tags = [] }, i) => {
    const descriptor: ArchiveDescriptor = {
      id: Buffer.from(id, 'hex'),
      series,
      name: name ?? `${series}-2026-11-2${i}T08-15-02Z`,
      host,
      user: 'root',
      // Clocks say the opposite of the log: the log is right.
      startNs: BigInt(1_000 - i),
      endNs: 0n,
      paths: [],
      root: new Uint8Array(),
      stats: { files: 0, directories: 0, others: 0, bytes: 0, newBytes: 0, storedBytes: 0, chunks: 0, newChunks: 0 },
      warnings: [],
      chunkerData: CHUNKER,
      chunkerTree: CHUNKER,
      parent: null,
      complete: true,
      program: 'test',
      tags,
      comment: '',
    };
    const none = { segments: [], rescuedPacks: [], rescuedSegments: [] };
    state.apply(i + 1, 0, { kind: 'COMMIT', archive: id, base: null, ...none, descriptor });
  });
  return state;
}

const A = 'aabb0000000000000000000000000001';
const B = 'aabb0000000000000000000000000002';
const C = 'ccdd0000000000000000000000000003';

function failure(work: () => unknown): { code: string; message: string; hint: string } {
  try {
    work();
  } catch (error) {
    if (isCairnError(error)) return { code: error.code, message: error.message, hint: error.hint ?? '' };
    throw error;
  }
  throw new Error('it did not fail');
}

describe('resolveArchive', () => {
  const state = logOf({ id: A }, { id: B }, { id: C, series: 'mail' });

  it.each([
    ['latest', C],
    ['web@latest', B],
    ['mail@latest', C],
    [B, B],
    [B.toUpperCase(), B],
    ['web-2026-11-20T08-15-02Z', A],
    ['ccdd', C],
    ['CCDD00', C],
    ['web-2026-11-21', B],
    ['mail', C],
  ])('%s', (ref, id) => {
    expect(resolveArchive(state, ref).id).toBe(id);
  });

  it.each(['', 'nothing', 'ccd', 'aab', 'www@latest', '@latest', 'LATEST'])('finds nothing as %j', (ref) => {
    const { code, message, hint } = failure(() => resolveArchive(state, ref));
    expect(code).toBe('ARCHIVE_MISSING');
    expect(message).toContain(JSON.stringify(ref));
    expect(hint).toContain('cairn list');
  });

  it('names the candidates, newest first, and how to say the newest', () => {
    const { code, message, hint } = failure(() => resolveArchive(state, 'aabb'));
    expect(code).toBe('ARCHIVE_AMBIGUOUS');
    expect(message).toContain('2 archives');
    expect(hint).toBe('Name one: web-2026-11-21T08-15-02Z (aabb0000), web-2026-11-20T08-15-02Z (aabb0000).');
    expect(failure(() => resolveArchive(state, 'web')).hint).toContain('`web@latest`');
  });

  it('names five candidates at most', () => {
    const many = logOf(...Array.from({ length: 8 }, (_, i) => ({ id: `${i}`.padStart(32, '0') })));
    const { message, hint } = failure(() => resolveArchive(many, '00000'));
    expect(message).toContain('8 archives');
    expect(hint.match(/web-/g)).toHaveLength(5);
    expect(hint).toContain('and 3 more');
  });

  it('prefers a whole name to the beginning of others', () => {
    const named = logOf({ id: A, name: 'web' }, { id: B, name: 'web-2' });
    expect(resolveArchive(named, 'web').id).toBe(A);
  });

  it('rejects a name that two archives have', () => {
    const twice = logOf({ id: A, name: 'web' }, { id: B, name: 'web' });
    expect(failure(() => resolveArchive(twice, 'web')).code).toBe('ARCHIVE_AMBIGUOUS');
  });

  it('does not find what is deleted, says so, and finds it when asked to', () => {
    const deleted = logOf({ id: A }, { id: B }, { id: C, series: 'mail' });
    deleted.apply(4, 0, { kind: 'DELETE', archives: [C], reason: '' });
    expect(resolveArchive(deleted, 'latest').id).toBe(B);
    const { code, hint } = failure(() => resolveArchive(deleted, 'mail'));
    expect(code).toBe('ARCHIVE_MISSING');
    expect(hint).toContain('cairn undelete mail-2026-11-22T08-15-02Z');
    expect(resolveArchive(deleted, 'mail', { deleted: true }).id).toBe(C);
    deleted.apply(5, 0, { kind: 'CONDEMN', dropped: [C], packs: [], segments: [], reason: '' });
    expect(failure(() => resolveArchive(deleted, 'mail', { deleted: true })).hint).toContain('cairn list');
  });

  it('has no latest in an empty repository', () => {
    expect(failure(() => resolveArchive(new LogState(), 'latest')).code).toBe('ARCHIVE_MISSING');
  });
});

describe('listArchives', () => {
  const state = logOf(
    { id: A, tags: ['weekly', 'kept'] },
    { id: B, host: 'h2', tags: ['kept'] },
    { id: C, series: 'mail' },
  );
  state.apply(4, 0, { kind: 'DELETE', archives: [A], reason: '' });

  it.each([
    [{}, [B, C]],
    [{ deleted: true }, [A, B, C]],
    [{ deleted: 'only' as const }, [A]],
    [{ series: 'web' }, [B]],
    [{ series: 'web', deleted: true }, [A, B]],
    [{ host: 'h2' }, [B]],
    [{ tags: ['kept'], deleted: true }, [A, B]],
    [{ tags: ['kept', 'weekly'], deleted: true }, [A]],
    [{ last: 1 }, [C]],
    [{ last: 0 }, []],
    [{ last: 9 }, [B, C]],
    [{ series: 'web', last: 1, deleted: true }, [B]],
  ])('%j', (options, ids) => {
    expect(listArchives(state, options).map(({ id }) => id)).toEqual(ids);
  });
});
