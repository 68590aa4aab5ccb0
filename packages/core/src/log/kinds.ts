import { encodeMsgpack, MsgpackReader, type Value } from '../codec/msgpack.ts';
import { CairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { decodeDescriptor, encodeDescriptor, type ArchiveDescriptor } from './descriptor.ts';

/**
 * What the log can say (format page, section 4.6). Archive and pin ids are 32 hex digits here, object names 64; in the bytes
 * they are raw. The public part is what a server without keys must judge.
 */
export type LogEntry =
  | {
      readonly kind: 'COMMIT';
      readonly archive: string;
      /** An archive whose subtrees were taken over unread. */
      readonly base: string | null;
      readonly segments: readonly string[];
      readonly rescuedPacks: readonly string[];
      readonly rescuedSegments: readonly string[];
      readonly descriptor: ArchiveDescriptor;
    }
  | { readonly kind: 'DELETE' | 'UNDELETE'; readonly archives: readonly string[]; readonly reason: string }
  | {
      readonly kind: 'ANNOTATE';
      readonly archives: readonly string[];
      readonly protect: boolean | null;
      readonly name: string | null;
      readonly comment: string | null;
      readonly tags: readonly string[] | null;
    }
  | {
      readonly kind: 'PIN';
      readonly pin: string;
      readonly archives: readonly string[];
      /** Nanoseconds since 1970, by the store's clock. */
      readonly until: bigint;
      readonly holder: string;
    }
  | { readonly kind: 'UNPIN'; readonly pin: string }
  | {
      readonly kind: 'CONDEMN';
      readonly dropped: readonly string[];
      readonly packs: readonly string[];
      readonly segments: readonly string[];
      readonly reason: string;
    }
  | { readonly kind: 'SWEEP'; readonly packs: readonly string[]; readonly segments: readonly string[] }
  | { readonly kind: 'INDEX'; readonly segments: readonly string[] }
  | {
      readonly kind: 'CHECK';
      readonly startedNs: bigint;
      readonly endedNs: bigint;
      readonly level: string;
      readonly objects: number;
      readonly bytes: number;
      readonly findings: number;
    }
  | {
      readonly kind: 'RESCUE';
      readonly packs: readonly string[];
      readonly segments: readonly string[];
      readonly reason: string;
    };

export type LogKind = LogEntry['kind'];

export const LOG_KIND_NUMBER: Readonly<Record<LogKind, number>> = {
  COMMIT: 1,
  DELETE: 2,
  UNDELETE: 3,
  ANNOTATE: 4,
  PIN: 5,
  UNPIN: 6,
  CONDEMN: 7,
  SWEEP: 8,
  INDEX: 9,
  CHECK: 10,
  RESCUE: 11,
};

const ID_BYTES = 16;
const NAME_BYTES = 32;

const raw = (hex: string): Uint8Array => Buffer.from(hex, 'hex');
const raws = (hexes: readonly string[]): Value => hexes.map(raw);

/** The two parts of an entry as MessagePack. */
export function encodeLogEntry(entry: LogEntry): { readonly publicPart: Uint8Array; readonly sealedPart: Uint8Array } {
  const parts = (publicPart: Value, sealedPart: Value): ReturnType<typeof encodeLogEntry> => ({
    publicPart: encodeMsgpack(publicPart),
    sealedPart: encodeMsgpack(sealedPart),
  });
  switch (entry.kind) {
    case 'COMMIT':
      return {
        publicPart: encodeMsgpack([
          raw(entry.archive),
          entry.base === null ? null : raw(entry.base),
          raws(entry.segments),
          raws(entry.rescuedPacks),
          raws(entry.rescuedSegments),
        ]),
        sealedPart: encodeDescriptor(entry.descriptor),
      };
    case 'DELETE':
    case 'UNDELETE':
      return parts([raws(entry.archives)], [entry.reason]);
    case 'ANNOTATE':
      return parts([raws(entry.archives), entry.protect], [entry.name, entry.comment, entry.tags]);
    case 'PIN':
      return parts([raw(entry.pin), raws(entry.archives), entry.until], [entry.holder]);
    case 'UNPIN':
      return parts([raw(entry.pin)], []);
    case 'CONDEMN':
      return parts([raws(entry.dropped), raws(entry.packs), raws(entry.segments)], [entry.reason]);
    case 'SWEEP':
      return parts([raws(entry.packs), raws(entry.segments)], []);
    case 'INDEX':
      return parts([raws(entry.segments)], []);
    case 'CHECK':
      return parts([], [entry.startedNs, entry.endedNs, entry.level, entry.objects, entry.bytes, entry.findings]);
    case 'RESCUE':
      return parts([raws(entry.packs), raws(entry.segments)], [entry.reason]);
  }
}

const readId = (reader: MsgpackReader): string => toHex(reader.fixed(ID_BYTES));
const readIds = (reader: MsgpackReader): string[] => reader.list(readId);
const readNames = (reader: MsgpackReader): string[] => reader.list((r) => toHex(r.fixed(NAME_BYTES)));

/** Rejects with `CORRUPT` when the parts are not of that kind, `FORMAT_UNSUPPORTED` when the kind is unknown. */
export function decodeLogEntry(kind: number, publicPart: Uint8Array, sealedPart: Uint8Array, what: string): LogEntry {
  const open = new MsgpackReader(publicPart, `the public part of ${what}`);
  const shut = new MsgpackReader(sealedPart, `the sealed part of ${what}`);
  const entry = readEntry(kind, open, shut, sealedPart, what);
  open.finish();
  if (entry.kind !== 'COMMIT') shut.finish();
  return entry;
}

function readEntry(kind: number, open: MsgpackReader, shut: MsgpackReader, sealed: Uint8Array, what: string): LogEntry {
  const tuples = (publicLength: number, sealedLength: number): void => {
    open.tuple(publicLength);
    shut.tuple(sealedLength);
  };
  switch (kind) {
    case LOG_KIND_NUMBER.COMMIT: {
      open.tuple(5);
      const archive = readId(open);
      const base = open.nil() ? null : readId(open);
      const [segments, rescuedPacks, rescuedSegments] = [readNames(open), readNames(open), readNames(open)];
      const descriptor = decodeDescriptor(sealed, `the descriptor in ${what}`);
      if (toHex(descriptor.id) !== archive) open.fail('it names another archive than its descriptor');
      return { kind: 'COMMIT', archive, base, segments, rescuedPacks, rescuedSegments, descriptor };
    }
    case LOG_KIND_NUMBER.DELETE:
    case LOG_KIND_NUMBER.UNDELETE:
      tuples(1, 1);
      return {
        kind: kind === LOG_KIND_NUMBER.DELETE ? 'DELETE' : 'UNDELETE',
        archives: readIds(open),
        reason: shut.str(),
      };
    case LOG_KIND_NUMBER.ANNOTATE:
      tuples(2, 3);
      return {
        kind: 'ANNOTATE',
        archives: readIds(open),
        protect: open.nil() ? null : open.bool(),
        name: shut.nil() ? null : shut.str(),
        comment: shut.nil() ? null : shut.str(),
        tags: shut.nil() ? null : shut.list((r) => r.str()),
      };
    case LOG_KIND_NUMBER.PIN:
      tuples(3, 1);
      return { kind: 'PIN', pin: readId(open), archives: readIds(open), until: open.i64(), holder: shut.str() };
    case LOG_KIND_NUMBER.UNPIN:
      tuples(1, 0);
      return { kind: 'UNPIN', pin: readId(open) };
    case LOG_KIND_NUMBER.CONDEMN:
      tuples(3, 1);
      return {
        kind: 'CONDEMN',
        dropped: readIds(open),
        packs: readNames(open),
        segments: readNames(open),
        reason: shut.str(),
      };
    case LOG_KIND_NUMBER.SWEEP:
      tuples(2, 0);
      return { kind: 'SWEEP', packs: readNames(open), segments: readNames(open) };
    case LOG_KIND_NUMBER.INDEX:
      tuples(1, 0);
      return { kind: 'INDEX', segments: readNames(open) };
    case LOG_KIND_NUMBER.CHECK:
      tuples(0, 6);
      return {
        kind: 'CHECK',
        startedNs: shut.i64(),
        endedNs: shut.i64(),
        level: shut.str(),
        objects: shut.uint(),
        bytes: shut.uint(),
        findings: shut.uint(),
      };
    case LOG_KIND_NUMBER.RESCUE:
      tuples(2, 1);
      return { kind: 'RESCUE', packs: readNames(open), segments: readNames(open), reason: shut.str() };
    default:
      throw new CairnError('FORMAT_UNSUPPORTED', `${what} is of kind ${kind}, which this program does not know`, {
        hint: 'Use a newer Cairn.',
      });
  }
}
