import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { encodeMsgpack, type Value } from '../codec/msgpack.ts';
import { readOrRefuse, refusal } from '../testing/refusals.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { decodeDecision, encodeDecision, LOG_KIND_NUMBER, type Decision, type LogKind } from './decision.ts';

const hex = (length: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => Buffer.from(bytes).toString('hex'));
const ids = fc.array(hex(16), { maxLength: 4 });
const names = fc.array(hex(32), { maxLength: 4 });
const until = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

const anyDecision: fc.Arbitrary<Decision> = fc.oneof(
  fc.record({
    kind: fc.constant('COMMIT'),
    archive: hex(16),
    base: fc.option(hex(16)),
    segments: names,
    rescuedPacks: names,
    rescuedSegments: names,
  }),
  fc.record({ kind: fc.constantFrom('DELETE', 'UNDELETE'), archives: ids }),
  fc.record({ kind: fc.constant('ANNOTATE'), archives: ids, protect: fc.option(fc.boolean()) }),
  fc.record({ kind: fc.constant('PIN'), pin: hex(16), archives: ids, until }),
  fc.record({ kind: fc.constant('UNPIN'), pin: hex(16) }),
  fc.record({ kind: fc.constant('CONDEMN'), dropped: ids, packs: names, segments: names }),
  fc.record({ kind: fc.constantFrom('SWEEP', 'RESCUE'), packs: names, segments: names }),
  fc.record({ kind: fc.constant('INDEX'), segments: names }),
  fc.record({ kind: fc.constant('CHECK') }),
);

const ID = Buffer.alloc(16, 1);
const NAME = Buffer.alloc(32, 2);

/** A public part of each kind, written down from the table of the format page (section 4.6). */
const PARTS: Readonly<Record<LogKind, readonly Value[]>> = {
  COMMIT: [ID, null, [NAME], [], [NAME]],
  DELETE: [[ID]],
  UNDELETE: [[ID]],
  ANNOTATE: [[ID], true],
  PIN: [ID, [ID], 5n],
  UNPIN: [ID],
  CONDEMN: [[ID], [NAME], [NAME]],
  SWEEP: [[NAME], []],
  INDEX: [[NAME]],
  CHECK: [],
  RESCUE: [[NAME], []],
};
const KINDS = Object.keys(PARTS) as LogKind[];

const decode = (kind: LogKind, part: Uint8Array): Decision => decodeDecision(LOG_KIND_NUMBER[kind], part, 'an entry');

describe('the public part of a log entry', () => {
  it('says what was written', () => {
    fc.assert(
      fc.property(anyDecision, (decision) => {
        expect(decode(decision.kind, encodeDecision(decision))).toEqual(decision);
      }),
      { numRuns: 300 },
    );
  });

  it('has the shapes of the format page, and no others', () => {
    for (const kind of KINDS) {
      const part = PARTS[kind];
      const bytes = encodeMsgpack(part);
      expect(Buffer.compare(encodeDecision(decode(kind, bytes)), bytes), kind).toBe(0);
      const bad: readonly Value[] = [
        null,
        [...part, null],
        ...(part.length > 0 ? [part.slice(1), part.slice(0, -1)] : []),
        ...part.map((_, i) => part.with(i, 'wrong')),
        ...part.map((_, i) => part.with(i, [Buffer.alloc(15)])),
      ];
      for (const value of bad) {
        const what = `${kind} ${encodeMsgpack(value).toString('hex')}`;
        expect(
          refusal(() => decode(kind, encodeMsgpack(value))),
          what,
        ).toBe('CORRUPT');
      }
    }
  });

  it('cut, longer, or with a bit flipped is refused, or says exactly what its bytes say', () => {
    for (const kind of KINDS) {
      const bytes = encodeMsgpack(PARTS[kind]);
      for (const mutation of mutationsOf(bytes)) {
        const answer = readOrRefuse(() => decode(kind, mutation.bytes));
        const what = `${kind}, ${mutation.what}`;
        if ('value' in answer) expect(Buffer.compare(encodeDecision(answer.value), mutation.bytes), what).toBe(0);
        else expect(answer.refused, what).toBe('CORRUPT');
      }
      for (let length = 0; length < bytes.length; length++) {
        expect(refusal(() => decode(kind, bytes.subarray(0, length)))).toBe('CORRUPT');
      }
      expect(refusal(() => decode(kind, Buffer.concat([bytes, Buffer.of(0)])))).toBe('CORRUPT');
    }
  });

  it('of noise is noise', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 11 }), fc.uint8Array({ maxLength: 60 }), (kind, noise) => {
        const answer = readOrRefuse(() => decodeDecision(kind, noise, 'noise'));
        if ('value' in answer) expect(Buffer.compare(encodeDecision(answer.value), noise)).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  it('of an unknown kind is for a newer program', () => {
    for (const kind of [0, 12, 255]) {
      expect(refusal(() => decodeDecision(kind, encodeMsgpack([]), 'an entry'))).toBe('FORMAT_UNSUPPORTED');
    }
  });
});
