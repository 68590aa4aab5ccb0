import { encodeMsgpack, MsgpackReader, type Value } from '../codec/msgpack.ts';
import { CairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { readDamage, writeDamage, type DamageNote } from './damage.ts';
import { decodeDecision, encodeDecision, raws, readNames, type Decision, type DecisionOf } from './decision.ts';
import { decodeDescriptor, encodeDescriptor, type ArchiveDescriptor } from './descriptor.ts';

/** What the log can say (format page, section 4.6): a decision, and what is sealed beside it. */
export type LogEntry =
  | (DecisionOf<'COMMIT'> & { readonly descriptor: ArchiveDescriptor })
  | (DecisionOf<'DELETE' | 'UNDELETE' | 'CONDEMN' | 'RESCUE'> & { readonly reason: string })
  | (DecisionOf<'ANNOTATE'> & {
      /** null leaves it as it was, here and in the next two. */
      readonly name: string | null;
      readonly comment: string | null;
      readonly tags: readonly string[] | null;
    })
  | (DecisionOf<'PIN'> & { readonly holder: string })
  | DecisionOf<'UNPIN' | 'SWEEP' | 'INDEX'>
  | (DecisionOf<'CHECK'> & {
      readonly startedNs: bigint;
      readonly endedNs: bigint;
      readonly level: string;
      readonly objects: number;
      readonly bytes: number;
      readonly findings: number;
      /** Of each pack named, this takes the place of what an earlier CHECK said. */
      readonly damage: readonly DamageNote[];
      /** Index segments that nobody needs to read any more: what they listed is listed by others. */
      readonly lostSegments: readonly string[];
    });

/** The two parts of an entry as MessagePack. */
export function encodeLogEntry(entry: LogEntry): { readonly publicPart: Uint8Array; readonly sealedPart: Uint8Array } {
  const sealedPart = entry.kind === 'COMMIT' ? encodeDescriptor(entry.descriptor) : encodeMsgpack(sealedPartOf(entry));
  return { publicPart: encodeDecision(entry), sealedPart };
}

function sealedPartOf(entry: Exclude<LogEntry, { readonly kind: 'COMMIT' }>): readonly Value[] {
  switch (entry.kind) {
    case 'DELETE':
    case 'UNDELETE':
    case 'CONDEMN':
    case 'RESCUE':
      return [entry.reason];
    case 'ANNOTATE':
      return [entry.name, entry.comment, entry.tags];
    case 'PIN':
      return [entry.holder];
    case 'UNPIN':
    case 'SWEEP':
    case 'INDEX':
      return [];
    case 'CHECK': {
      const { startedNs, endedNs, level, objects, bytes, findings, damage, lostSegments } = entry;
      return [startedNs, endedNs, level, objects, bytes, findings, writeDamage(damage), raws(lostSegments)];
    }
  }
}

/** Rejects with `CORRUPT` when the parts are not of that kind, `FORMAT_UNSUPPORTED` when the kind is unknown. */
export function decodeLogEntry(kind: number, publicPart: Uint8Array, sealedPart: Uint8Array, what: string): LogEntry {
  const decision = decodeDecision(kind, publicPart, what);
  if (decision.kind === 'COMMIT') {
    const descriptor = decodeDescriptor(sealedPart, `the descriptor in ${what}`);
    if (toHex(descriptor.id) === decision.archive) return { ...decision, descriptor };
    throw new CairnError('CORRUPT', `${what} names another archive than its descriptor`);
  }
  const reader = new MsgpackReader(sealedPart, `the sealed part of ${what}`);
  const entry = withSealedPart(decision, reader);
  reader.finish();
  return entry;
}

function withSealedPart(decision: Exclude<Decision, { readonly kind: 'COMMIT' }>, reader: MsgpackReader): LogEntry {
  switch (decision.kind) {
    case 'DELETE':
    case 'UNDELETE':
    case 'CONDEMN':
    case 'RESCUE':
      reader.tuple(1);
      return { ...decision, reason: reader.str() };
    case 'ANNOTATE':
      reader.tuple(3);
      return {
        ...decision,
        name: reader.nil() ? null : reader.str(),
        comment: reader.nil() ? null : reader.str(),
        tags: reader.nil() ? null : reader.list((r) => r.str()),
      };
    case 'PIN':
      reader.tuple(1);
      return { ...decision, holder: reader.str() };
    case 'UNPIN':
    case 'SWEEP':
    case 'INDEX':
      reader.tuple(0);
      return decision;
    case 'CHECK':
      reader.tuple(8);
      return {
        ...decision,
        startedNs: reader.i64(),
        endedNs: reader.i64(),
        level: reader.str(),
        objects: reader.uint(),
        bytes: reader.uint(),
        findings: reader.uint(),
        damage: readDamage(reader),
        lostSegments: readNames(reader),
      };
  }
}
