import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { SegmentCursor } from './file-content.ts';

/** Holes as an entry has them: ascending, not touching; with the length of the data between and around them. */
const layout = fc
  .array(fc.tuple(fc.nat({ max: 50 }), fc.integer({ min: 1, max: 50 })), { maxLength: 8 })
  .map((pairs) => {
    const holes: [number, number][] = [];
    let at = 0;
    for (const [i, [data, hole]] of pairs.entries()) {
      at += i === 0 ? data : data + 1;
      holes.push([at, hole]);
      at += hole;
    }
    return { holes, end: at };
  });

describe('SegmentCursor', () => {
  it('puts every byte of the content between the holes, in order', () => {
    fc.assert(
      fc.property(
        layout,
        fc.nat({ max: 60 }),
        fc.array(fc.integer({ min: 1, max: 40 })),
        ({ holes, end }, tail, cuts) => {
          const size = end + tail;
          const inHole = (at: number): boolean => holes.some(([from, length]) => at >= from && at < from + length);
          const expected = Array.from({ length: size }, (_, at) => at).filter((at) => !inHole(at));
          const cursor = new SegmentCursor({ holes: holes.length === 0 ? null : holes });
          const found: number[] = [];
          for (const cut of [...cuts, Infinity]) {
            const length = Math.min(cut, expected.length - found.length);
            if (length === 0) break;
            let from = 0;
            for (const segment of cursor.take(length)) {
              expect(segment.from).toBe(from);
              expect(segment.length).toBeGreaterThan(0);
              from += segment.length;
              for (let i = 0; i < segment.length; i++) found.push(segment.fileOffset + i);
            }
            expect(from).toBe(length);
          }
          expect(found).toEqual(expected);
        },
      ),
    );
  });
});
