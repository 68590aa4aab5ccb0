import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { SAMPLE_DESCRIPTOR } from '../testing/log-samples.ts';
import { decodeDecision, encodeDecision, LOG_KIND_NUMBER, type Decision } from './decision.ts';
import { Decisions } from './decisions.ts';
import type { LogEntry } from './kinds.ts';
import { LogState } from './state.ts';

const A = 'aa'.repeat(16);
const B = 'bb'.repeat(16);
const PIN = 'dd'.repeat(16);
const PACK = '11'.repeat(32);
const SEGMENT = '33'.repeat(32);

const commit = (archive: string): Decision => ({
  kind: 'COMMIT',
  archive,
  base: null,
  segments: [],
  rescuedPacks: [],
  rescuedSegments: [],
});
const remove = (...archives: string[]): Decision => ({ kind: 'DELETE', archives });
const bringBack = (...archives: string[]): Decision => ({ kind: 'UNDELETE', archives });
const condemn = (dropped: string[], packs: string[] = [], segments: string[] = []): Decision => ({
  kind: 'CONDEMN',
  dropped,
  packs,
  segments,
});

/** Applies decisions; each is received 10 ms after the one before, the first at 1010. */
function decided(...decisions: readonly Decision[]): Decisions {
  const state = new Decisions();
  decisions.forEach((decision, i) => state.apply(i + 1, 1010 + 10 * i, decision));
  return state;
}

describe('Decisions', () => {
  it('know an archive by what its COMMIT says in public', () => {
    const state = decided(condemn([]), commit(A));
    const expected = { id: A, seq: 2, receivedMs: 1020, state: 'live', protect: false, deletedMs: undefined };
    expect(state.archives.get(A)).toEqual(expected);
  });

  it('count the grace of a deletion from where it began without a break', () => {
    const state = decided(commit(A), remove(A), remove(A, A));
    expect(state.archives.get(A)).toMatchObject({ state: 'deleted', deletedMs: 1020 });
    state.apply(4, 1040, bringBack(A));
    expect(state.archives.get(A)).toMatchObject({ state: 'live', deletedMs: undefined });
    state.apply(5, 1050, bringBack(A));
    state.apply(6, 1060, remove(A));
    expect(state.archives.get(A)).toMatchObject({ state: 'deleted', deletedMs: 1060 });
    state.apply(7, 1070, { kind: 'ANNOTATE', archives: [A], protect: true });
    expect(state.archives.get(A)).toMatchObject({ state: 'deleted', deletedMs: 1060, protect: true });
    state.apply(8, 1080, condemn([A]));
    expect(state.archives.get(A)).toMatchObject({ state: 'dropped', deletedMs: 1060, protect: true });
  });

  it('count the grace of an object from where it was condemned without a break', () => {
    const state = decided(condemn([], [PACK], [SEGMENT]), condemn([], [PACK], [SEGMENT]));
    expect(state.condemnedPacks.get(PACK)).toEqual({ seq: 1, sinceMs: 1010 });
    expect(state.condemnedSegments.get(SEGMENT)).toEqual({ seq: 1, sinceMs: 1010 });
    state.apply(3, 1030, { kind: 'RESCUE', packs: [PACK], segments: [] });
    expect(state.condemnedPacks.size).toBe(0);
    state.apply(4, 1040, condemn([], [PACK]));
    expect(state.condemnedPacks.get(PACK)).toEqual({ seq: 4, sinceMs: 1040 });
    state.apply(5, 1050, { kind: 'SWEEP', packs: [PACK], segments: [SEGMENT] });
    expect([state.condemnedPacks.size, state.condemnedSegments.size]).toEqual([0, 0]);
    expect([[...state.sweptPacks], [...state.sweptSegments]]).toEqual([[PACK], [SEGMENT]]);
  });

  it('leave protection as it was when nothing is said about it', () => {
    const state = decided(commit(A), { kind: 'ANNOTATE', archives: [A], protect: true });
    state.apply(3, 0, { kind: 'ANNOTATE', archives: [A], protect: null });
    expect(state.archives.get(A)?.protect).toBe(true);
    state.apply(4, 0, { kind: 'ANNOTATE', archives: [A], protect: false });
    expect(state.archives.get(A)?.protect).toBe(false);
  });

  it('keep a pin until its UNPIN, and know its id for ever', () => {
    const pin = { kind: 'PIN', pin: PIN, archives: [A, B], until: 9n } as const;
    const state = decided(commit(A), commit(B), pin);
    expect([...state.pins]).toEqual([[PIN, { archives: [A, B], until: 9n }]]);
    state.apply(4, 0, { kind: 'UNPIN', pin: PIN });
    expect(state.pins.size).toBe(0);
    expect(() => state.apply(5, 0, pin)).toThrow(expect.toSatisfy((error) => isCairnError(error, 'CORRUPT')));
  });

  it('over any history: know without a key what a client knows, and refuse the same', () => {
    const archive = fc.constantFrom(A, B);
    const objects = fc.array(fc.constantFrom(PACK, SEGMENT), { maxLength: 2 });
    const archives = fc.array(archive, { maxLength: 2 });
    const entry: fc.Arbitrary<LogEntry> = fc.oneof(
      archive.map((id): LogEntry => ({
        ...(commit(id) as Extract<Decision, { kind: 'COMMIT' }>),
        descriptor: { ...SAMPLE_DESCRIPTOR, id: Buffer.from(id, 'hex') },
      })),
      fc.record({ kind: fc.constantFrom('DELETE', 'UNDELETE'), archives, reason: fc.constant('because') }),
      fc.record({
        kind: fc.constant('ANNOTATE'),
        archives,
        protect: fc.option(fc.boolean()),
        name: fc.constant(null),
        comment: fc.constant('note'),
        tags: fc.constant(null),
      }),
      fc.record({
        kind: fc.constant('CONDEMN'),
        dropped: archives,
        packs: objects,
        segments: objects,
        reason: fc.constant(''),
      }),
      fc.record({ kind: fc.constant('SWEEP'), packs: objects, segments: objects }),
      fc.record({ kind: fc.constant('RESCUE'), packs: objects, segments: objects, reason: fc.constant('') }),
      fc.record({
        kind: fc.constant('PIN'),
        pin: fc.constantFrom(PIN, A),
        archives,
        until: fc.constant(5n),
        holder: fc.constant('mount'),
      }),
      fc.record({ kind: fc.constant('UNPIN'), pin: fc.constantFrom(PIN, A) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(entry, fc.nat(1000)), { maxLength: 60 }), (history) => {
        const [client, server] = [new LogState(), new Decisions()];
        history.forEach(([next, receivedMs], i) => {
          const open = decodeDecision(LOG_KIND_NUMBER[next.kind], encodeDecision(next), 'an entry');
          expect(server.violation(open)).toBe(client.violation(next));
          if (client.violation(next) !== undefined) return;
          client.apply(i + 1, receivedMs, next);
          server.apply(i + 1, receivedMs, open);
          for (const [id, standing] of server.archives) expect(client.archives.get(id)).toMatchObject(standing);
          for (const [id, pin] of server.pins) expect(client.pins.get(id)).toEqual({ ...pin, holder: 'mount' });
          expect([client.archives.size, client.pins.size]).toEqual([server.archives.size, server.pins.size]);
          expect(client.condemnedPacks).toEqual(server.condemnedPacks);
          expect(client.condemnedSegments).toEqual(server.condemnedSegments);
          expect(client.sweptPacks).toEqual(server.sweptPacks);
          expect(client.sweptSegments).toEqual(server.sweptSegments);
        });
      }),
    );
  });
});
