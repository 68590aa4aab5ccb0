import { inspect } from 'node:util';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { SAMPLE_DESCRIPTOR } from '../testing/log-samples.ts';
import { rewritten } from './descriptor.ts';
import type { LogEntry } from './kinds.ts';
import { LogState } from './state.ts';

const A = 'aa'.repeat(16);
const B = 'bb'.repeat(16);
const NEVER = 'cc'.repeat(16);
const PIN = 'dd'.repeat(16);
const PACK = '11'.repeat(32);
const OTHER = '22'.repeat(32);
const SEGMENT = '33'.repeat(32);

type Commit = Extract<LogEntry, { kind: 'COMMIT' }>;
const commit = (archive: string, change: Partial<Commit> = {}): LogEntry => ({
  kind: 'COMMIT',
  archive,
  base: null,
  segments: [],
  rescuedPacks: [],
  rescuedSegments: [],
  descriptor: { ...SAMPLE_DESCRIPTOR, id: Buffer.from(archive, 'hex') },
  ...change,
});
const remove = (...archives: string[]): LogEntry => ({ kind: 'DELETE', archives, reason: '' });
const restore = (...archives: string[]): LogEntry => ({ kind: 'UNDELETE', archives, reason: '' });
const pin = (...archives: string[]): LogEntry => ({ kind: 'PIN', pin: PIN, archives, until: 9n, holder: 'mount' });
const UNPIN: LogEntry = { kind: 'UNPIN', pin: PIN };
const annotate = (archive: string, change: object = {}): LogEntry => ({
  kind: 'ANNOTATE',
  archives: [archive],
  protect: null,
  name: null,
  comment: null,
  tags: null,
  ...change,
});
const condemn = (dropped: string[], packs: string[] = [], segments: string[] = []): LogEntry => ({
  kind: 'CONDEMN',
  dropped,
  packs,
  segments,
  reason: '',
});
const sweep = (packs: string[], segments: string[] = []): LogEntry => ({ kind: 'SWEEP', packs, segments });
const rescue = (packs: string[], segments: string[] = []): LogEntry => ({
  kind: 'RESCUE',
  packs,
  segments,
  reason: '',
});

type Check = Extract<LogEntry, { kind: 'CHECK' }>;
const check = (damage: Check['damage'] = [], lostSegments: readonly string[] = []): LogEntry => ({
  kind: 'CHECK',
  startedNs: 0n,
  endedNs: 0n,
  level: 'full',
  objects: 0,
  bytes: 0,
  findings: 0,
  damage,
  lostSegments,
});

function replay(...entries: LogEntry[]): LogState {
  const state = new LogState();
  entries.forEach((entry, i) => state.apply(i + 1, 1000 + i, entry));
  return state;
}

/** Everything that a state knows, to see that nothing changed. */
const snapshot = (state: LogState): string => inspect(state, { depth: null, maxArrayLength: null });

const DROPPED = [commit(A), remove(A), condemn([A], [PACK], [SEGMENT])];
const SWEPT = [...DROPPED, sweep([PACK], [SEGMENT])];

describe('LogState', () => {
  it('follows an archive from its commit to its end', () => {
    const state = replay(commit(A));
    expect(state.archives.get(A)).toMatchObject({ id: A, seq: 1, receivedMs: 1000, protect: false, state: 'live' });
    expect(state.archives.get(A)).toMatchObject({ name: SAMPLE_DESCRIPTOR.name, tags: ['daily'], comment: '' });
    state.apply(2, 0, remove(A));
    expect([state.archives.get(A)?.state, state.live()]).toEqual(['deleted', []]);
    state.apply(3, 0, remove(A));
    state.apply(4, 0, restore(A));
    expect(state.live().map(({ id }) => id)).toEqual([A]);
    state.apply(5, 0, commit(B, { base: A }));
    expect(state.live().map(({ id }) => id)).toEqual([A, B]);
    state.apply(6, 0, remove(A));
    state.apply(7, 0, condemn([A]));
    expect(state.archives.get(A)?.state).toBe('dropped');
    expect(state.live().map(({ id }) => id)).toEqual([B]);
  });

  it('keeps what ANNOTATE does not name', () => {
    const state = replay(
      commit(A),
      annotate(A, { name: 'other', protect: true }),
      annotate(A, { tags: [], comment: 'c' }),
    );
    expect(state.archives.get(A)).toMatchObject({ name: 'other', protect: true, tags: [], comment: 'c' });
    state.apply(4, 0, annotate(A, { protect: false }));
    expect(state.archives.get(A)).toMatchObject({ name: 'other', protect: false });
    // Of a dropped archive too: it changes nothing that counts.
    replay(...DROPPED, annotate(A));
  });

  it('puts a rewritten archive in the place of its original, for retention once that is not live', () => {
    const made = rewritten('cairn', A);
    const copy = (id: string, change: Partial<Commit> = {}): LogEntry =>
      commit(id, {
        base: A,
        descriptor: { ...SAMPLE_DESCRIPTOR, ...made, id: Buffer.from(id, 'hex') },
        ...change,
      });
    // Received at 1000, 1001 and 1002.
    const state = replay(commit(A), commit(B), copy(NEVER));
    const now = (): unknown[] => [state.archives.get(NEVER)?.order, state.archives.get(NEVER)?.receivedMs];
    expect(now()).toEqual([1, 1002]);
    state.apply(4, 0, remove(A));
    expect(now()).toEqual([1, 1000]);
    state.apply(5, 0, restore(A));
    expect(now()).toEqual([1, 1002]);
    state.apply(6, 0, remove(A));
    state.apply(7, 0, condemn([A]));
    state.apply(8, 0, annotate(NEVER, { name: 'other' }));
    expect(now()).toEqual([1, 1000]);
    // One that was rewritten from a rewritten one stands where the first one stood.
    const second = { ...SAMPLE_DESCRIPTOR, ...rewritten('cairn', NEVER), id: Buffer.from(PIN, 'hex') };
    const twice = replay(commit(A), copy(NEVER), commit(PIN, { base: NEVER, descriptor: second }), remove(NEVER));
    expect(twice.archives.get(PIN)).toMatchObject({ order: 1, receivedMs: 1001 });
    twice.apply(5, 0, remove(A));
    expect(twice.archives.get(PIN)).toMatchObject({ order: 1, receivedMs: 1000 });
    // Who only says so, or says so of an archive that is not live, stays where he is.
    const others = [
      replay(commit(A), commit(B), copy(NEVER, { base: null }), remove(A)),
      replay(commit(A), commit(B), copy(NEVER, { base: B }), remove(A)),
      replay(commit(A), commit(B), commit(NEVER, { base: A }), remove(A)),
      replay(commit(A), remove(A), copy(NEVER)),
    ];
    for (const other of others) expect(other.archives.get(NEVER)).toMatchObject({ order: 3, receivedMs: 1002 });
  });

  it('follows pins', () => {
    const state = replay(commit(A), pin(A));
    expect(state.pins.get(PIN)).toMatchObject({ archives: [A], until: 9n, holder: 'mount' });
    state.apply(3, 0, UNPIN);
    expect(state.pins.size).toBe(0);
  });

  it('follows objects: condemned, rescued by either entry, condemned again, swept for ever', () => {
    const state = replay(condemn([], [PACK, OTHER], [SEGMENT]));
    expect([...state.condemnedPacks]).toEqual([
      [PACK, { seq: 1, sinceMs: 1000 }],
      [OTHER, { seq: 1, sinceMs: 1000 }],
    ]);
    state.apply(2, 0, rescue([PACK]));
    state.apply(3, 0, commit(A, { rescuedPacks: [OTHER], rescuedSegments: [SEGMENT] }));
    expect([state.condemnedPacks.size, state.condemnedSegments.size]).toEqual([0, 0]);
    state.apply(4, 0, condemn([], [PACK], [SEGMENT]));
    state.apply(5, 0, condemn([], [PACK]));
    // The grace counts from the first CONDEMN since the last rescue.
    expect(state.condemnedPacks.get(PACK)).toEqual({ seq: 4, sinceMs: 0 });
    state.apply(6, 0, sweep([PACK], [SEGMENT]));
    expect([state.sweptPacks.has(PACK), state.sweptSegments.has(SEGMENT), state.condemnedPacks.size]).toEqual([
      true,
      true,
      0,
    ]);
  });

  it('lets pass what has no effect', () => {
    replay(rescue([PACK], [SEGMENT]), { kind: 'INDEX', segments: [SEGMENT] });
    replay(...SWEPT, { kind: 'INDEX', segments: [SEGMENT] }, commit(B, { segments: [SEGMENT] }));
    replay(...SWEPT, condemn([], [PACK]), sweep([PACK]));
    replay(check());
    replay(commit(A), commit(B, { base: A }), pin(A, B), remove(A, A), restore(A, A));
  });

  it('refuses what breaks a rule, each of the table of the format page, and stays as it was', () => {
    const broken: readonly (readonly [string, LogEntry[], LogEntry])[] = [
      ['an archive id twice', [commit(A)], commit(A)],
      ['the id of a dropped archive', DROPPED, commit(A)],
      ['an unknown base', [], commit(A, { base: NEVER })],
      ['a base that is itself', [], commit(A, { base: A })],
      ['a dropped base', DROPPED, commit(B, { base: A })],
      ['COMMIT rescues a swept pack', SWEPT, commit(B, { rescuedPacks: [PACK] })],
      ['COMMIT rescues a swept segment', SWEPT, commit(B, { rescuedSegments: [SEGMENT] })],
      ['DELETE of an unknown archive', [commit(A)], remove(A, NEVER)],
      ['DELETE of a dropped archive', DROPPED, remove(A)],
      ['UNDELETE of an unknown archive', [], restore(NEVER)],
      ['UNDELETE of a dropped archive', DROPPED, restore(A)],
      ['ANNOTATE of an unknown archive', [], annotate(NEVER)],
      ['PIN of an unknown archive', [commit(A)], pin(A, NEVER)],
      ['PIN of a dropped archive', DROPPED, pin(A)],
      ['a pin id twice', [commit(A), pin(A)], pin(A)],
      ['the id of a pin that ended', [commit(A), pin(A), UNPIN], pin(A)],
      ['UNPIN of nothing', [], UNPIN],
      ['UNPIN twice', [commit(A), pin(A), UNPIN], UNPIN],
      ['CONDEMN of an unknown archive', [], condemn([NEVER])],
      ['CONDEMN of an archive that is not deleted', [commit(A)], condemn([A])],
      ['CONDEMN of an archive that was brought back', [commit(A), remove(A), restore(A)], condemn([A])],
      ['CONDEMN of a dropped archive', DROPPED, condemn([A])],
      ['CONDEMN of one archive twice', [commit(A), remove(A)], condemn([A, A])],
      ['SWEEP of what is not condemned', [], sweep([PACK])],
      ['SWEEP of a segment that is not condemned', [condemn([], [PACK])], sweep([PACK], [SEGMENT])],
      ['SWEEP of what was rescued', [condemn([], [PACK]), rescue([PACK])], sweep([PACK])],
      ['SWEEP twice', SWEPT, sweep([PACK])],
      ['SWEEP of one pack twice', [condemn([], [PACK])], sweep([PACK, PACK])],
      ['SWEEP of one segment twice', [condemn([], [], [SEGMENT])], sweep([], [SEGMENT, SEGMENT])],
      ['RESCUE of a swept pack', SWEPT, rescue([PACK])],
      ['RESCUE of a swept segment', SWEPT, rescue([], [SEGMENT])],
    ];
    for (const [what, before, entry] of broken) {
      const state = replay(...before);
      const was = snapshot(state);
      expect(state.violation(entry), what).toBeTypeOf('string');
      expect(() => state.apply(before.length + 1, 0, entry), what).toThrow(
        expect.toSatisfy((error) => isCairnError(error, 'CORRUPT')),
      );
      expect(snapshot(state), what).toBe(was);
    }
  });

  it('over any history: dropped stays dropped and swept stays swept, and `violation` tells what `apply` refuses', () => {
    const archive = fc.constantFrom(A, B);
    const object = fc.array(fc.constantFrom(PACK, OTHER, SEGMENT), { maxLength: 2 });
    const entry = fc.oneof(
      archive.map((id) => commit(id)),
      archive.map((id) => remove(id)),
      archive.map((id) => restore(id)),
      archive.map((id) => annotate(id, { protect: true })),
      fc.tuple(fc.array(archive, { maxLength: 2 }), object, object).map((names) => condemn(...names)),
      fc.tuple(object, object).map((names) => sweep(...names)),
      fc.tuple(object, object).map((names) => rescue(...names)),
      fc.constantFrom(pin(A), UNPIN),
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 60 }), (entries) => {
        const state = new LogState();
        const dropped = new Set<string>();
        const swept = new Set<string>();
        entries.forEach((next, i) => {
          if (state.violation(next) === undefined) state.apply(i + 1, 0, next);
          else expect(() => state.apply(i + 1, 0, next)).toThrow();
          for (const [id, record] of state.archives) if (record.state === 'dropped') dropped.add(id);
          for (const name of state.sweptPacks) swept.add(name);
          for (const id of dropped) expect(state.archives.get(id)?.state).toBe('dropped');
          for (const name of swept) expect(state.sweptPacks.has(name)).toBe(true);
        });
      }),
    );
  });
});

describe('damage in the log', () => {
  it('is what the newest CHECK says of each pack', () => {
    const { damage } = replay(
      check([
        { pack: PACK, places: [3, 9] },
        { pack: OTHER, places: null },
      ]),
      check([{ pack: PACK, places: [5] }], [SEGMENT]),
    );
    expect([...damage.packs]).toEqual([
      [PACK, new Set([5])],
      [OTHER, 'all'],
    ]);
    expect([...damage.lostSegments]).toEqual([SEGMENT]);
  });

  it('ends when a CHECK says that the pack is sound', () => {
    const { damage } = replay(check([{ pack: PACK, places: null }]), check([{ pack: PACK, places: [] }]));
    expect(damage.packs.size).toBe(0);
  });

  it('ends with the object, and does not begin after it', () => {
    const entries = [condemn([], [PACK], [SEGMENT]), sweep([PACK], [SEGMENT])];
    const note = check([{ pack: PACK, places: [1] }], [SEGMENT]);
    for (const { damage } of [replay(note, ...entries), replay(...entries, note)]) {
      expect([damage.packs.size, damage.lostSegments.size]).toEqual([0, 0]);
    }
  });
});
