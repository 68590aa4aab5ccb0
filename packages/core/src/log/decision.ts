import { encodeMsgpack, MsgpackReader, type Value } from '../codec/msgpack.ts';
import { CairnError } from '../errors.ts';
import { toHex } from '../ids.ts';

/**
 * The public half of a log entry (format page, section 4.6): what was decided, and all that a server without keys can judge.
 * Archive and pin ids are 32 hex digits here, object names 64; in the bytes they are raw.
 */
export type Decision =
  | {
      readonly kind: 'COMMIT';
      readonly archive: string;
      /** An archive whose subtrees were taken over unread. */
      readonly base: string | null;
      readonly segments: readonly string[];
      readonly rescuedPacks: readonly string[];
      readonly rescuedSegments: readonly string[];
    }
  | { readonly kind: 'DELETE' | 'UNDELETE'; readonly archives: readonly string[] }
  | {
      readonly kind: 'ANNOTATE';
      readonly archives: readonly string[];
      /** null leaves it as it was. */
      readonly protect: boolean | null;
    }
  | {
      readonly kind: 'PIN';
      readonly pin: string;
      readonly archives: readonly string[];
      /** Nanoseconds since 1970, by the store's clock. */
      readonly until: bigint;
    }
  | { readonly kind: 'UNPIN'; readonly pin: string }
  | {
      readonly kind: 'CONDEMN';
      readonly dropped: readonly string[];
      readonly packs: readonly string[];
      readonly segments: readonly string[];
    }
  | { readonly kind: 'SWEEP'; readonly packs: readonly string[]; readonly segments: readonly string[] }
  | { readonly kind: 'INDEX'; readonly segments: readonly string[] }
  | { readonly kind: 'CHECK' }
  | { readonly kind: 'RESCUE'; readonly packs: readonly string[]; readonly segments: readonly string[] };

/** A kind of log entry. */
export type LogKind = Decision['kind'];

/** The decisions of some kinds. */
export type DecisionOf<K extends LogKind> = Extract<Decision, { readonly kind: K }>;

/** The number that stands for each kind in an entry. */
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
export const raws = (hexes: readonly string[]): Value => hexes.map(raw);

/** The public part of an entry. */
export function encodeDecision(decision: Decision): Uint8Array {
  return encodeMsgpack(partOf(decision));
}

function partOf(decision: Decision): readonly Value[] {
  switch (decision.kind) {
    case 'COMMIT': {
      const { archive, base, segments, rescuedPacks, rescuedSegments } = decision;
      return [
        raw(archive),
        base === null ? null : raw(base),
        raws(segments),
        raws(rescuedPacks),
        raws(rescuedSegments),
      ];
    }
    case 'DELETE':
    case 'UNDELETE':
      return [raws(decision.archives)];
    case 'ANNOTATE':
      return [raws(decision.archives), decision.protect];
    case 'PIN':
      return [raw(decision.pin), raws(decision.archives), decision.until];
    case 'UNPIN':
      return [raw(decision.pin)];
    case 'CONDEMN':
      return [raws(decision.dropped), raws(decision.packs), raws(decision.segments)];
    case 'SWEEP':
    case 'RESCUE':
      return [raws(decision.packs), raws(decision.segments)];
    case 'INDEX':
      return [raws(decision.segments)];
    case 'CHECK':
      return [];
  }
}

const readId = (reader: MsgpackReader): string => toHex(reader.fixed(ID_BYTES));
const readIds = (reader: MsgpackReader): string[] => reader.list(readId);
export const readNames = (reader: MsgpackReader): string[] => reader.list((r) => toHex(r.fixed(NAME_BYTES)));

/**
 * Reads the public part of an entry of that kind.
 * Rejects with `CORRUPT` when it is not of that kind, `FORMAT_UNSUPPORTED` when the kind is unknown.
 * @param what the entry, for the error.
 */
export function decodeDecision(kind: number, publicPart: Uint8Array, what: string): Decision {
  const reader = new MsgpackReader(publicPart, `the public part of ${what}`);
  const decision = readDecision(kind, reader, what);
  reader.finish();
  return decision;
}

function readDecision(kind: number, reader: MsgpackReader, what: string): Decision {
  switch (kind) {
    case LOG_KIND_NUMBER.COMMIT: {
      reader.tuple(5);
      const archive = readId(reader);
      const base = reader.nil() ? null : readId(reader);
      const [segments, rescuedPacks, rescuedSegments] = [readNames(reader), readNames(reader), readNames(reader)];
      return { kind: 'COMMIT', archive, base, segments, rescuedPacks, rescuedSegments };
    }
    case LOG_KIND_NUMBER.DELETE:
    case LOG_KIND_NUMBER.UNDELETE:
      reader.tuple(1);
      return { kind: kind === LOG_KIND_NUMBER.DELETE ? 'DELETE' : 'UNDELETE', archives: readIds(reader) };
    case LOG_KIND_NUMBER.ANNOTATE:
      reader.tuple(2);
      return { kind: 'ANNOTATE', archives: readIds(reader), protect: reader.nil() ? null : reader.bool() };
    case LOG_KIND_NUMBER.PIN:
      reader.tuple(3);
      return { kind: 'PIN', pin: readId(reader), archives: readIds(reader), until: reader.i64() };
    case LOG_KIND_NUMBER.UNPIN:
      reader.tuple(1);
      return { kind: 'UNPIN', pin: readId(reader) };
    case LOG_KIND_NUMBER.CONDEMN:
      reader.tuple(3);
      return { kind: 'CONDEMN', dropped: readIds(reader), packs: readNames(reader), segments: readNames(reader) };
    case LOG_KIND_NUMBER.SWEEP:
      reader.tuple(2);
      return { kind: 'SWEEP', packs: readNames(reader), segments: readNames(reader) };
    case LOG_KIND_NUMBER.INDEX:
      reader.tuple(1);
      return { kind: 'INDEX', segments: readNames(reader) };
    case LOG_KIND_NUMBER.CHECK:
      reader.tuple(0);
      return { kind: 'CHECK' };
    case LOG_KIND_NUMBER.RESCUE:
      reader.tuple(2);
      return { kind: 'RESCUE', packs: readNames(reader), segments: readNames(reader) };
    default:
      throw new CairnError('FORMAT_UNSUPPORTED', `${what} is of kind ${kind}, which this program does not know`, {
        hint: 'Use a newer Cairn.',
      });
  }
}
