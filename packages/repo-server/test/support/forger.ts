import { DirectoryStore, systemEnvironment } from '@cairn/core';
import { Decisions, decodeDecision, logName, type Decision, type LogKind, type ObjectKey } from '@cairn/core/server';
import { createHash, randomBytes } from 'node:crypto';

import { nodeSuite } from '../../../core/dist/crypto/node-suite.js';
import { LOG_KIND_NUMBER } from '../../../core/dist/log/decision.js';
import { encodeLogFrame, readLogFrame } from '../../../core/dist/log/entry.js';
import { encodeLogEntry, type LogEntry } from '../../../core/dist/log/kinds.js';
import { SAMPLE_DESCRIPTOR } from '../../../core/dist/testing/log-samples.js';

const NONE: readonly string[] = [];
const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

interface ForgedEntry {
  readonly seq: number;
  readonly object: Uint8Array;
}

/** Where an entry goes, and behind what: the end of the log unless given. */
interface Place {
  readonly seq?: number;
  readonly previous?: Buffer;
}

/** Writes log entries that are right in every byte that a server can see, for any decision at all. */
export class Forger {
  /** A pack that is there and live. */
  pack = '';
  /** An index segment that is there. */
  segment = '';
  /** A pack and a segment that were swept. */
  swept = '';
  sweptSegment = '';
  archive = '';
  private readonly store: DirectoryStore;
  private readonly logKey: Uint8Array;
  private lastPin = '';

  private constructor(store: DirectoryStore, logKey: Uint8Array) {
    this.store = store;
    this.logKey = logKey;
  }

  /** @param logKey of the repository; without it, no client can read what is written. */
  static async create(path: string, logKey: Uint8Array = randomBytes(32)): Promise<Forger> {
    const forger = new Forger(await DirectoryStore.open(path), logKey);
    try {
      await forger.store.put({ kind: 'config', name: 'config' }, randomBytes(100));
    } catch {
      // A repository that was made for real has one.
    }
    return forger;
  }

  /** A pack or segment that nobody has. */
  object(kind: 'packs' | 'index'): { key: ObjectKey; body: Buffer } {
    const body = randomBytes(500);
    return { key: { kind, name: createHash('sha256').update(body).digest('hex') }, body };
  }

  /** A history behind the server's back: an archive, a pack and a segment in use, and a pack and a segment that were swept. */
  async populate(): Promise<void> {
    const put = async (kind: 'packs' | 'index'): Promise<string> => {
      const { key, body } = this.object(kind);
      await this.store.put(key, body);
      return key.name;
    };
    this.pack = await put('packs');
    this.segment = await put('index');
    this.swept = await put('packs');
    this.sweptSegment = await put('index');
    this.archive = hex(16);
    const [none, segments] = [NONE, NONE];
    await this.write({
      kind: 'COMMIT',
      archive: this.archive,
      base: null,
      segments,
      rescuedPacks: none,
      rescuedSegments: none,
    });
    const going = { packs: [this.swept], segments: [this.sweptSegment] };
    await this.write({ kind: 'CONDEMN', dropped: none, ...going });
    await this.write({ kind: 'SWEEP', ...going });
  }

  /** Writes an entry without asking a server. */
  async write(decision: Decision): Promise<void> {
    const { seq, object } = await this.entry(decision);
    await this.store.put({ kind: 'log', name: logName(seq) }, object);
  }

  /** As `next`, for the slot after an entry of one's own that was taken: the log, which may be long, is not looked at. */
  async after(last: ForgedEntry, kind: LogKind): Promise<ForgedEntry> {
    return await this.next(kind, { seq: last.seq + 1, previous: createHash('sha256').update(last.object).digest() });
  }

  /** An entry for the next slot, or as told, with a decision of that kind which breaks no rule of the log. */
  async next(kind: LogKind, more: Place = {}): Promise<ForgedEntry> {
    return await this.entry(this.decisionOf(kind), more);
  }

  private decisionOf(kind: LogKind): Decision {
    const [segments, packs] = [NONE, NONE];
    const archives = [this.archive];
    switch (kind) {
      case 'COMMIT':
        return {
          kind,
          archive: hex(16),
          base: null,
          segments,
          rescuedPacks: packs,
          rescuedSegments: [],
        };
      case 'DELETE':
      case 'UNDELETE':
        return { kind, archives };
      case 'ANNOTATE':
        return { kind, archives, protect: null };
      case 'PIN':
        this.lastPin = hex(16);
        return { kind, pin: this.lastPin, archives, until: systemEnvironment.clock.nowNs() };
      case 'UNPIN':
        return { kind, pin: this.lastPin };
      case 'CONDEMN':
        return { kind, dropped: [], packs, segments };
      case 'SWEEP':
      case 'RESCUE':
        return { kind, packs, segments };
      case 'INDEX':
        return { kind, segments };
      case 'CHECK':
        return { kind };
    }
  }

  /** An entry for the next slot, or as told. */
  async entry(decision: Decision, more: Place = {}): Promise<ForgedEntry> {
    // Who says where it goes needs no look at the log, which takes long when that is long.
    const head =
      more.seq === undefined || more.previous === undefined
        ? await this.head()
        : { seq: more.seq - 1, hash: more.previous };
    const seq = more.seq ?? head.seq + 1;
    const object = encodeLogFrame(nodeSuite, systemEnvironment.random, this.logKey, {
      kind: LOG_KIND_NUMBER[decision.kind],
      seq,
      previous: more.previous ?? head.hash,
      timeNs: systemEnvironment.clock.nowNs(),
      ...encodeLogEntry(withSealedPart(decision)),
    });
    return { seq, object };
  }

  /** What the log says by now. */
  async decisions(): Promise<Decisions> {
    const decisions = new Decisions();
    const { seq } = await this.head();
    for (let slot = 1; slot <= seq; slot += 1) {
      const frame = readLogFrame(await this.store.get({ kind: 'log', name: logName(slot) }), `entry ${slot}`);
      decisions.apply(slot, 0, decodeDecision(frame.kind, frame.publicPart, `entry ${slot}`));
    }
    return decisions;
  }

  private async head(): Promise<{ seq: number; hash: Buffer }> {
    let seq = 0;
    for await (const info of this.store.list('log')) seq = Math.max(seq, Number.parseInt(info.name, 16));
    const key: ObjectKey = seq === 0 ? { kind: 'config', name: 'config' } : { kind: 'log', name: logName(seq) };
    return {
      seq,
      hash: createHash('sha256')
        .update(await this.store.get(key))
        .digest(),
    };
  }
}

/** The decision with whatever its kind seals beside it. */
function withSealedPart(decision: Decision): LogEntry {
  const sealed = { reason: '', holder: '', name: null, comment: null, tags: null };
  const counts = { level: '', objects: 0, bytes: 0, findings: 0, startedNs: 0n, endedNs: 0n };
  const check = { ...counts, damage: [], lostSegments: [] };
  const id = decision.kind === 'COMMIT' ? Buffer.from(decision.archive, 'hex') : SAMPLE_DESCRIPTOR.id;
  const whole: object = { ...sealed, ...check, descriptor: { ...SAMPLE_DESCRIPTOR, id }, ...decision };
  return whole as LogEntry;
}
