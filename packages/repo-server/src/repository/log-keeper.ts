import {
  CairnError,
  Decisions,
  isCairnError,
  logName,
  objectExists,
  OneAtATime,
  type Clock,
  type DirectoryStore,
} from '@cairn/core/server';

import { damagedLog, hashOf, isTorn, readPublicEntry, type PublicEntry } from './log-entry.ts';
import { refused } from './refusal.ts';

/** How many entries are read at once while replaying. */
const REPLAY_WIDTH = 16;

/** An entry as it lies in the store. */
export interface KeptEntry extends PublicEntry {
  /** When this server, or the one before it, received it; milliseconds since 1970. */
  readonly receivedMs: number;
}

interface Head {
  readonly seq: number;
  readonly hash: string;
  readonly receivedMs: number;
}

/** Judges an entry beyond the rules of the log; throws what it refuses with. */
export type Judge = (entry: PublicEntry, decisions: Decisions, nowMs: number) => void | Promise<void>;

/**
 * The log of one repository as a server without keys keeps it: replayed, followed when other processes append, and appended to only
 * with what breaks no rule. Received times never go back: an entry is never older than the one before, whatever the clock says,
 * and they are kept as the times of the files.
 */
export class LogKeeper {
  private readonly store: DirectoryStore;
  private readonly clock: Clock;
  private readonly observe: (entry: KeptEntry) => void;
  private state = new Decisions();
  private head: Head = { seq: 0, hash: '', receivedMs: 0 };
  private readonly queue = new OneAtATime();

  private constructor(store: DirectoryStore, clock: Clock, observe: (entry: KeptEntry) => void) {
    this.store = store;
    this.clock = clock;
    this.observe = observe;
  }

  /**
   * Replays the log. A last entry that was cut short by a crash was never acknowledged: it is set aside in `tmp/`. Rejects with
   * `CORRUPT` when any other entry is damaged, missing, or breaks a rule.
   * @param observe hears of every entry in order, once.
   */
  static async open(
    store: DirectoryStore,
    clock: Clock,
    observe: (entry: KeptEntry) => void = () => undefined,
  ): Promise<LogKeeper> {
    const keeper = new LogKeeper(store, clock, observe);
    await keeper.replay();
    return keeper;
  }

  get decisions(): Decisions {
    return this.state;
  }

  /** Slot number of the newest entry; 0 for an empty log. */
  get seq(): number {
    return this.head.seq;
  }

  /**
   * Holds the log against what was acknowledged last: a disk may lose or change the newest entry, to which no other chains yet. Rejects
   * with `CORRUPT`.
   */
  async assertAcknowledged(newest: Pick<PublicEntry, 'seq' | 'hash'> | undefined): Promise<void> {
    await this.refresh();
    if (newest === undefined || newest.seq < this.head.seq) return;
    const where = this.store.description;
    if (newest.seq > this.head.seq) throw damagedLog(newest.seq, where, 'it was acknowledged, and is not there');
    if (newest.hash !== this.head.hash) throw damagedLog(newest.seq, where, 'it is not what was acknowledged');
  }

  /** Now, by the clock that graces count on. */
  nowMs(): number {
    return Math.max(Number(this.clock.nowNs() / 1_000_000n), this.head.receivedMs);
  }

  /** Takes in what other processes appended. */
  refresh(): Promise<void> {
    return this.queue.run(() => this.catchUp());
  }

  /**
   * Writes an entry into its slot; durable once resolved. Rejects with `OBJECT_EXISTS` when the slot is taken, with
   * `STORE_DENIED` when the entry does not follow the newest one, breaks a rule or is refused by `judge`, and as stores do.
   */
  append(seq: number, object: Uint8Array, judge: Judge): Promise<PublicEntry> {
    return this.queue.run(async () => {
      await this.catchUp();
      const key = { kind: 'log', name: logName(seq) } as const;
      if (seq <= this.head.seq) throw objectExists(key, this.store.description);
      const entry = await this.next(seq, object);
      const receivedMs = this.nowMs();
      await judge(entry, this.state, receivedMs);
      const incoming = await this.store.receive();
      try {
        await incoming.write(object);
        await incoming.commit(key, receivedMs);
      } finally {
        await incoming[Symbol.asyncDispose]();
      }
      this.take({ ...entry, receivedMs });
      return entry;
    });
  }

  /** The entry, if it is one and fits where it is put. */
  private async next(seq: number, object: Uint8Array): Promise<PublicEntry> {
    let entry: PublicEntry;
    try {
      entry = readPublicEntry(object, `log entry ${seq}`);
    } catch (error) {
      throw refused(`log entry ${seq} is refused: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (entry.seq !== seq) throw refused(`log entry ${seq} is refused: it says it is entry ${entry.seq}`);
    if (seq !== this.head.seq + 1 || entry.previous !== (await this.previousHash())) {
      throw refused(`log entry ${seq} is refused: it does not follow the newest entry, which is ${this.head.seq}`);
    }
    const violation = this.state.violation(entry.decision);
    if (violation !== undefined) throw refused(`log entry ${seq} is refused: ${violation}`);
    return entry;
  }

  private async replay(): Promise<void> {
    const names: string[] = [];
    for await (const { name } of this.store.listAfter('log', '')) names.push(name);
    for (let first = 1; first <= names.length; first += REPLAY_WIDTH) {
      const last = Math.min(names.length, first + REPLAY_WIDTH - 1);
      const slots = Array.from({ length: last - first + 1 }, (_, index) => first + index);
      const objects = await Promise.all(slots.map((seq) => this.read(seq)));
      for (const [index, found] of objects.entries()) {
        const seq = first + index;
        if (found === undefined) {
          throw damagedLog(seq, this.store.description, `it is absent, though ${names.at(-1)} is there`);
        }
        if (seq === names.length && isTorn(found.object)) {
          await this.store.setAside({ kind: 'log', name: logName(seq) }, (object) => !isTorn(object));
        } else await this.accept(seq, found);
      }
    }
    await this.catchUp();
  }

  private async catchUp(): Promise<void> {
    for (;;) {
      const seq = this.head.seq + 1;
      const found = await this.read(seq);
      if (found === undefined) return;
      await this.accept(seq, found);
    }
  }

  private async read(seq: number): Promise<{ object: Uint8Array; receivedMs: number } | undefined> {
    try {
      const file = await this.store.openObject({ kind: 'log', name: logName(seq) });
      try {
        return { object: await file.read(0, file.sizeBytes), receivedMs: file.receivedMs };
      } finally {
        await file[Symbol.asyncDispose]();
      }
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  private async accept(seq: number, { object, receivedMs }: { object: Uint8Array; receivedMs: number }): Promise<void> {
    const where = this.store.description;
    const previous = await this.previousHash();
    let entry: PublicEntry;
    try {
      entry = readPublicEntry(object, `log entry ${seq}`);
      if (entry.seq !== seq) throw new CairnError('CORRUPT', `it says it is entry ${entry.seq}`);
      if (entry.previous !== previous) throw new CairnError('CORRUPT', 'it does not follow the entry before it');
      const violation = this.state.violation(entry.decision);
      if (violation !== undefined) throw new CairnError('CORRUPT', violation);
    } catch (error) {
      throw damagedLog(seq, where, error instanceof Error ? error.message : String(error), error);
    }
    // Times of files that were copied may go back; graces then count from the later one.
    this.take({ ...entry, receivedMs: Math.max(receivedMs, this.head.receivedMs) });
  }

  private take(entry: KeptEntry): void {
    this.state.apply(entry.seq, entry.receivedMs, entry.decision);
    this.head = { seq: entry.seq, hash: entry.hash, receivedMs: entry.receivedMs };
    this.observe(entry);
  }

  /** What the next entry must name: the hash of the newest, or of `config`. Rejects with `OBJECT_MISSING` without a `config`. */
  private async previousHash(): Promise<string> {
    if (this.head.seq > 0) return this.head.hash;
    return hashOf(await this.store.get({ kind: 'config', name: 'config' }));
  }
}
