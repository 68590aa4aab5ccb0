import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { encodeMsgpack, type Value } from '../codec/msgpack.ts';
import { SAMPLE_DESCRIPTOR } from '../testing/log-samples.ts';
import { readOrRefuse, refusal } from '../testing/refusals.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { LOG_KIND_NUMBER, type LogKind } from './decision.ts';
import { decodeDescriptor, encodeDescriptor, type ArchiveDescriptor } from './descriptor.ts';
import { decodeLogEntry, encodeLogEntry, type LogEntry } from './kinds.ts';

const LEAST_TIME = -(2n ** 63n);
const MOST_TIME = 2n ** 63n - 1n;

const time = fc.bigInt({ min: LEAST_TIME, max: MOST_TIME });
const count = fc.nat(Number.MAX_SAFE_INTEGER);
const text = fc.string({ unit: 'binary', maxLength: 40 });
const anyBytes = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
const hex = (length: number): fc.Arbitrary<string> => anyBytes(length).map((array) => array.toString('hex'));
const ids = fc.array(hex(16), { maxLength: 4 });
const names = fc.array(hex(32), { maxLength: 4 });
const chunker = fc
  .tuple(fc.nat(8 * 1024 * 1024), fc.nat(8 * 1024 * 1024), fc.nat(8 * 1024 * 1024))
  .map((three) => three.map((value) => Math.max(1024, value)).sort((a, b) => a - b))
  .map(([min = 0, average = 0, max = 0]) => ({ min, average, max }));

/** Descriptors of any archive. */
const anyDescriptor: fc.Arbitrary<ArchiveDescriptor> = fc.record({
  id: anyBytes(16),
  series: text,
  name: text,
  host: text,
  user: text,
  startNs: time,
  endNs: time,
  paths: fc.array(
    fc.uint8Array({ maxLength: 30 }).map((array) => Buffer.from(array)),
    { maxLength: 3 },
  ),
  root: fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array)),
  stats: fc.record({
    files: count,
    directories: count,
    others: count,
    bytes: count,
    newBytes: count,
    storedBytes: count,
    chunks: count,
    newChunks: count,
  }),
  warnings: fc.array(fc.tuple(text, count), { maxLength: 3 }),
  chunkerData: chunker,
  chunkerTree: chunker,
  parent: fc.option(anyBytes(16)),
  complete: fc.boolean(),
  program: text,
  tags: fc.array(text, { maxLength: 3 }),
  comment: text,
});

const commit = fc
  .record({
    base: fc.option(hex(16)),
    segments: names,
    rescuedPacks: names,
    rescuedSegments: names,
    descriptor: anyDescriptor,
  })
  .map((fields): LogEntry => ({
    kind: 'COMMIT',
    archive: Buffer.from(fields.descriptor.id).toString('hex'),
    ...fields,
  }));

/** Entries of every kind. */
const anyLogEntry: fc.Arbitrary<LogEntry> = fc.oneof(
  commit,
  fc.record({ kind: fc.constantFrom('DELETE', 'UNDELETE'), archives: ids, reason: text }),
  fc.record({
    kind: fc.constant('ANNOTATE'),
    archives: ids,
    protect: fc.option(fc.boolean()),
    name: fc.option(text),
    comment: fc.option(text),
    tags: fc.option(fc.array(text, { maxLength: 3 })),
  }),
  fc.record({ kind: fc.constant('PIN'), pin: hex(16), archives: ids, until: time, holder: text }),
  fc.record({ kind: fc.constant('UNPIN'), pin: hex(16) }),
  fc.record({ kind: fc.constant('CONDEMN'), dropped: ids, packs: names, segments: names, reason: text }),
  fc.record({ kind: fc.constant('SWEEP'), packs: names, segments: names }),
  fc.record({ kind: fc.constant('INDEX'), segments: names }),
  fc.record({
    kind: fc.constant('CHECK'),
    startedNs: time,
    endedNs: time,
    level: text,
    objects: count,
    bytes: count,
    findings: count,
    damage: fc.array(fc.record({ pack: hex(32), places: fc.option(fc.array(count, { maxLength: 3 })) }), {
      maxLength: 3,
    }),
    lostSegments: names,
  }),
  fc.record({ kind: fc.constant('RESCUE'), packs: names, segments: names, reason: text }),
);

const ID = Buffer.alloc(16, 1);
const NAME = Buffer.alloc(32, 2);
const TIME = 5n;

/** A good public and sealed part of each kind, as the format page has them. */
const PARTS: Readonly<Record<Exclude<LogKind, 'COMMIT'>, readonly [readonly Value[], readonly Value[]]>> = {
  DELETE: [[[ID]], ['because']],
  UNDELETE: [[[ID]], ['because']],
  ANNOTATE: [
    [[ID], true],
    ['name', null, ['tag']],
  ],
  PIN: [[ID, [ID], TIME], ['holder']],
  UNPIN: [[ID], []],
  CONDEMN: [[[ID], [NAME], [NAME]], ['because']],
  SWEEP: [[[NAME], []], []],
  INDEX: [[[NAME]], []],
  CHECK: [
    [],
    [
      TIME,
      TIME,
      'full',
      3,
      4,
      0,
      [
        [NAME, [5]],
        [NAME, null],
      ],
      [NAME],
    ],
  ],
  RESCUE: [[[NAME], []], ['because']],
};

const decode = (kind: LogKind, open: Uint8Array, shut: Uint8Array): LogEntry =>
  decodeLogEntry(LOG_KIND_NUMBER[kind], open, shut, 'a log entry');
const canonical = (entry: LogEntry, open: Uint8Array, shut: Uint8Array): boolean => {
  const { publicPart, sealedPart } = encodeLogEntry(entry);
  return Buffer.compare(publicPart, open) === 0 && Buffer.compare(sealedPart, shut) === 0;
};

describe('log entries', () => {
  it('say what was written', () => {
    fc.assert(
      fc.property(anyLogEntry, (entry) => {
        const { publicPart, sealedPart } = encodeLogEntry(entry);
        const decoded = decode(entry.kind, publicPart, sealedPart);
        expect(canonical(decoded, publicPart, sealedPart)).toBe(true);
        if (entry.kind !== 'COMMIT') expect(decoded).toEqual(entry);
        else if (decoded.kind === 'COMMIT') {
          const { descriptor, ...rest } = entry;
          expect(decoded).toMatchObject(rest);
          expect({ ...decoded.descriptor, id: Buffer.from(decoded.descriptor.id) }).toMatchObject({
            ...descriptor,
            parent: descriptor.parent && expect.anything(),
          });
        }
      }),
      { numRuns: 300 },
    );
  });

  it('have the shapes of the format page', () => {
    for (const kind of Object.keys(PARTS) as (keyof typeof PARTS)[]) {
      const [open, shut] = PARTS[kind];
      const publicPart = encodeMsgpack(open);
      const sealedPart = encodeMsgpack(shut);
      expect(canonical(decode(kind, publicPart, sealedPart), publicPart, sealedPart), kind).toBe(true);
      const bad: readonly (readonly [Value, Value])[] = [
        [[...open, null], shut],
        [open, [...shut, null]],
        [null, shut],
        [open, null],
        ...open.map((_, i) => [open.with(i, 'wrong'), shut] as const),
        ...open.map((_, i) => [open.with(i, [Buffer.alloc(15)]), shut] as const),
        ...shut.map((_, i) => [open, shut.with(i, Buffer.alloc(1))] as const),
        ...(open.length > 0 ? [[open.slice(1), shut] as const] : []),
        ...(shut.length > 0 ? [[open, shut.slice(1)] as const] : []),
      ];
      for (const [a, b] of bad) {
        const what = `${kind} ${encodeMsgpack([a, b]).toString('hex')}`;
        expect(
          refusal(() => decode(kind, encodeMsgpack(a), encodeMsgpack(b))),
          what,
        ).toBe('CORRUPT');
      }
    }
  });

  it('after any change of a part are refused, or canonical', () => {
    for (const kind of Object.keys(PARTS) as (keyof typeof PARTS)[]) {
      const [open, shut] = PARTS[kind].map((part) => encodeMsgpack(part)) as [Buffer, Buffer];
      for (const { what, bytes } of mutationsOf(open)) {
        const answer = readOrRefuse(() => decode(kind, bytes, shut));
        if ('value' in answer) expect(canonical(answer.value, bytes, shut), `${kind}, public, ${what}`).toBe(true);
      }
      for (const { what, bytes } of mutationsOf(shut)) {
        const answer = readOrRefuse(() => decode(kind, open, bytes));
        if ('value' in answer) expect(canonical(answer.value, open, bytes), `${kind}, sealed, ${what}`).toBe(true);
      }
    }
  });

  it('read noise as noise', () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.uint8Array({ maxLength: 60 }),
        fc.uint8Array({ maxLength: 60 }),
        (kind, open, shut) => {
          const answer = readOrRefuse(() => decodeLogEntry(kind, open, shut, 'noise'));
          if ('value' in answer) expect(canonical(answer.value, open, shut)).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('of an unknown kind are for a newer program', () => {
    const empty = encodeMsgpack([]);
    for (const kind of [0, 12, 255])
      expect(refusal(() => decodeLogEntry(kind, empty, empty, 'x'))).toBe('FORMAT_UNSUPPORTED');
  });

  it('of a COMMIT name the archive of their descriptor', () => {
    const sealed = encodeDescriptor(SAMPLE_DESCRIPTOR);
    const open = (id: Uint8Array, base: Value = null): Buffer => encodeMsgpack([id, base, [NAME], [], []]);
    expect(refusal(() => decode('COMMIT', open(SAMPLE_DESCRIPTOR.id), sealed))).toBe('accepted');
    expect(refusal(() => decode('COMMIT', open(SAMPLE_DESCRIPTOR.id, ID), sealed))).toBe('accepted');
    expect(refusal(() => decode('COMMIT', open(ID), sealed))).toBe('CORRUPT');
    expect(refusal(() => decode('COMMIT', open(SAMPLE_DESCRIPTOR.id, Buffer.alloc(15)), sealed))).toBe('CORRUPT');
  });
});

describe('an archive descriptor', () => {
  it('says what was written', () => {
    fc.assert(
      fc.property(anyDescriptor, (descriptor) => {
        const encoded = encodeDescriptor(descriptor);
        expect(Buffer.from(encodeDescriptor(decodeDescriptor(encoded, 'a descriptor'))).equals(encoded)).toBe(true);
      }),
    );
  });

  it('after any change is refused, or canonical', () => {
    const encoded = Buffer.from(encodeDescriptor(SAMPLE_DESCRIPTOR));
    for (const { what, bytes } of mutationsOf(encoded)) {
      const answer = readOrRefuse(() => decodeDescriptor(bytes, 'a descriptor'));
      if ('value' in answer) expect(Buffer.from(encodeDescriptor(answer.value)).equals(bytes), what).toBe(true);
    }
  });

  it('has chunker parameters that can be', () => {
    for (const chunkerData of [
      { min: 1023, average: 2048, max: 4096 },
      { min: 4096, average: 2048, max: 8192 },
      { min: 1024, average: 2048, max: 8 * 1024 * 1024 + 1 },
    ]) {
      const encoded = encodeDescriptor({ ...SAMPLE_DESCRIPTOR, chunkerData });
      expect(refusal(() => decodeDescriptor(encoded, 'a descriptor'))).toBe('CORRUPT');
    }
  });
});
