import { CairnError, invariant, isCairnError } from '../errors.ts';
import { inOrder } from '../flow/in-order.ts';
import { OneAtATime } from '../flow/one-at-a-time.ts';
import { logName, toHex } from '../ids.ts';
import type { ClientState, SeenHead } from '../ports/client-state.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Environment } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { LOG_KIND_NUMBER } from './decision.ts';
import { encodeLogFrame } from './entry.ts';
import { encodeLogEntry, type LogEntry } from './kinds.ts';
import { readEntry, type ReadEntry } from './read-entry.ts';
import { LogState } from './state.ts';
import type { UnreadableEntry } from './unreadable.ts';

/** How many entries are fetched at once while replaying: most have less than 4 KiB, and none more than 4 MiB. */
const REPLAY = { width: 32 } as const;
const ALTERED_HINT = 'The history was altered. Do not write to this store.';

export interface LogOptions {
  readonly store: ObjectStore;
  readonly suite: CryptoSuite;
  readonly environment: Environment;
  readonly clientState: ClientState;
  /** Repository uid, 32 hex digits. */
  readonly repository: string;
  readonly logKey: Uint8Array;
  /** SHA-256 of the `config` object. */
  readonly configHash: Uint8Array;
}

/** An entry of the log in its slot. */
export interface LoggedEntry {
  readonly seq: number;
  /** When the store received it, milliseconds since 1970 by the store's clock. */
  readonly receivedMs: number;
  /** What the clock of its writer said, nanoseconds since 1970. */
  readonly writtenNs: bigint;
  readonly entry: LogEntry | UnreadableEntry;
}

/** The repository's log: replayed from the store, verified, and appended to by compare-and-swap (rules R1, R2). */
export class Log {
  private readonly options: LogOptions;
  private replayed = new LogState();
  private head: SeenHead;
  /** Why the newest entry cannot be read, if so. */
  private headDoubt: CairnError | undefined;
  /** The newest entry that could be read: only such a one is remembered. */
  private sound: SeenHead;
  private pinned: SeenHead | undefined;
  /** Settles when everything that was asked for before is done: two appends at once would replay one entry twice. */
  private readonly queue = new OneAtATime();

  private constructor(options: LogOptions) {
    this.options = options;
    this.head = this.origin();
    this.sound = this.head;
  }

  /**
   * Replays the whole log. Rejects with `ROLLBACK_DETECTED` when it is shorter than, or differs from, what this client saw
   * before; with `CORRUPT` when an entry is damaged or breaks a rule. What cannot be read and takes nothing away is passed over:
   * see `LogState.unreadable`, `unreadableHead`.
   */
  static async open(options: LogOptions): Promise<Log> {
    const log = new Log(options);
    log.pinned = await options.clientState.readHead(options.repository);
    const received = await log.listReceived();
    // Asked along with the entries that are listed: a store may be far away.
    const next = log.fetch(received.size + 1);
    next.catch(() => undefined);
    await log.replayListed(received);
    await log.catchUp(next);
    log.checkPinned();
    await log.remember();
    return log;
  }

  get state(): LogState {
    return this.replayed;
  }

  /** Slot number of the newest entry; 0 for an empty log. */
  get seq(): number {
    return this.head.seq;
  }

  /**
   * Why nobody but a repair may append: the newest entry cannot be read, and no server says that it is as it was put. It may be
   * damage, and an entry behind it would make that a part of the history, so that the good one could never be brought back.
   */
  get unreadableHead(): CairnError | undefined {
    return this.options.store.keepsLog === true ? undefined : this.headDoubt;
  }

  /** Rejects with `CORRUPT` when `append` would: for who has much to do before. */
  assertAppendable(): void {
    if (this.unreadableHead !== undefined) throw this.unreadableHead;
  }

  /** Replays what others appended since; probes slot by slot until one is free. */
  refresh(): Promise<void> {
    return this.queue.run(() => this.catchUp());
  }

  /**
   * Appends what `decide` returns for the state at the head; when another client was faster, replays and asks again.
   * `undefined` from `decide` appends nothing. Resolves once the entry is durable. An entry that breaks a rule of the log is
   * not written: it would stop every client for ever. Rejects with `CORRUPT` behind an `unreadableHead`.
   * @param decide must not call this log.
   * @param how `over` has the slots of unreadable heads behind which it appends all the same: from then on they are a part of the
   * history.
   * @returns the slot that was written, or undefined when nothing was appended.
   */
  append(
    decide: (state: LogState) => LogEntry | undefined | Promise<LogEntry | undefined>,
    { over = [] }: { readonly over?: readonly number[] } = {},
  ): Promise<number | undefined> {
    return this.queue.run(async () => {
      for (;;) {
        const entry = await decide(this.replayed);
        if (entry === undefined) return undefined;
        if (!over.includes(this.head.seq)) this.assertAppendable();
        const violation = this.replayed.violation(entry);
        invariant(violation === undefined, `a ${entry.kind} that breaks no rule of the log: ${violation}`);
        const seq = this.head.seq + 1;
        const object = this.encode(seq, entry);
        if (await this.put(seq, object)) {
          this.take(object, this.nowMs());
          await this.remember();
          return seq;
        }
        await this.catchUp();
      }
    });
  }

  /**
   * Every entry up to the head, the oldest first: read from the store again, and verified again. Rejects with `CORRUPT` when
   * they are not those that were replayed, `OBJECT_MISSING` when one is gone.
   */
  async *entries(): AsyncGenerator<LoggedEntry> {
    const last = this.head;
    const received = await this.listReceived();
    let head = this.origin();
    for await (const object of this.objects(last.seq)) {
      const { entry, writtenNs, head: next } = this.read(head, object);
      head = next;
      if (head.seq === last.seq && head.hash !== last.hash) {
        throw new CairnError('CORRUPT', `log entry ${head.seq} is another than before`, { hint: ALTERED_HINT });
      }
      yield { seq: head.seq, receivedMs: this.receivedOf(received, head.seq), writtenNs, entry };
    }
  }

  /** When the store received the entry of that slot, milliseconds since 1970 by the store's clock. */
  async receivedMs(seq: number): Promise<number> {
    return this.receivedOf(await this.listReceived(), seq);
  }

  /** @param ahead what the first slot holds, if that was asked for before. */
  private async catchUp(ahead?: Promise<Uint8Array | undefined>): Promise<void> {
    let received: ReadonlyMap<string, number> = new Map();
    for (;;) {
      const seq = this.head.seq + 1;
      const object = await (ahead ?? this.fetch(seq));
      ahead = undefined;
      if (object === undefined) return;
      if (!received.has(logName(seq))) received = await this.listReceived();
      this.take(object, this.receivedOf(received, seq));
    }
  }

  private encode(seq: number, entry: LogEntry): Uint8Array {
    const { suite, environment, logKey } = this.options;
    return encodeLogFrame(suite, environment.random, logKey, {
      kind: LOG_KIND_NUMBER[entry.kind],
      seq,
      previous: Buffer.from(this.head.hash, 'hex'),
      timeNs: environment.clock.nowNs(),
      ...encodeLogEntry(entry),
    });
  }

  /** True when `object` is in slot `seq` now. An unknown outcome is decided by reading the slot back (rule R2). */
  private async put(seq: number, object: Uint8Array): Promise<boolean> {
    const key = { kind: 'log', name: logName(seq) } as const;
    try {
      await this.options.store.put(key, object);
      return true;
    } catch (error) {
      const undecided = isCairnError(error, 'STORE_UNREACHABLE') || isCairnError(error, 'OBJECT_EXISTS');
      if (!undecided) throw error;
      const found = await this.fetch(seq);
      if (found === undefined) throw error;
      return Buffer.compare(found, object) === 0;
    }
  }

  private async fetch(seq: number): Promise<Uint8Array | undefined> {
    try {
      return await this.options.store.get({ kind: 'log', name: logName(seq) });
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
  }

  /** The objects of the first `count` slots, in order. */
  private async *objects(count: number): AsyncGenerator<Uint8Array> {
    const slots = Array.from({ length: count }, (_, i) => i + 1);
    let seq = 0;
    for await (const object of inOrder(slots, REPLAY, (slot) => this.fetch(slot))) {
      seq += 1;
      if (object === undefined) {
        throw new CairnError('OBJECT_MISSING', `log entry ${seq} is missing from ${this.options.store.description}`, {
          hint: 'The store lost an entry or hides it. Do not write to it; restore the store from a copy.',
        });
      }
      yield object;
    }
  }

  private async replayListed(received: ReadonlyMap<string, number>): Promise<void> {
    for await (const object of this.objects(received.size)) {
      this.take(object, this.receivedOf(received, this.head.seq + 1));
    }
  }

  private async listReceived(): Promise<Map<string, number>> {
    const received = new Map<string, number>();
    for await (const info of this.options.store.list('log')) received.set(info.name, info.receivedMs);
    return received;
  }

  /** A listing is not a snapshot. An entry that it misses counts as received now, so that no grace is over early. */
  private receivedOf(received: ReadonlyMap<string, number>, seq: number): number {
    return received.get(logName(seq)) ?? this.nowMs();
  }

  private nowMs(): number {
    return Number(this.options.environment.clock.nowNs() / 1_000_000n);
  }

  /** What the first entry follows. */
  private origin(): SeenHead {
    return { seq: 0, hash: toHex(this.options.configHash) };
  }

  private read(head: SeenHead, object: Uint8Array): ReadEntry {
    try {
      return readEntry(this.options.suite, this.options.logKey, head, object);
    } catch (error) {
      // What does not chain to an entry that cannot be read says that this one is damaged.
      throw isCairnError(error, 'CORRUPT') && head === this.head ? (this.headDoubt ?? error) : error;
    }
  }

  private take(object: Uint8Array, receivedMs: number): void {
    const read = this.read(this.head, object);
    this.replayed.apply(read.head.seq, receivedMs, read.entry);
    this.head = read.head;
    this.headDoubt = read.doubt;
    if (read.doubt === undefined) this.sound = read.head;
    if (this.pinned?.seq === read.head.seq && this.pinned.hash !== read.head.hash) {
      if (read.doubt !== undefined) throw read.doubt;
      this.rollback();
    }
  }

  private checkPinned(): void {
    if (this.pinned === undefined) return;
    if (this.pinned.seq > this.head.seq) this.rollback();
    if (this.pinned.seq === 0 && this.pinned.hash !== toHex(this.options.configHash)) this.rollback();
  }

  private rollback(): never {
    const { store } = this.options;
    throw new CairnError(
      'ROLLBACK_DETECTED',
      `${store.description} shows another history than this machine saw before (its log has ${this.head.seq === 1 ? '1 entry' : `${this.head.seq} entries`}, entry ${this.pinned?.seq} was seen)`,
      {
        hint:
          'The store was set back or replaced. If you restored it from a copy on purpose, remove what this machine remembers: ' +
          `the directory ${this.options.repository} in the state directory (\`cairn config\` shows where).`,
      },
    );
  }

  private async remember(): Promise<void> {
    if (this.pinned?.seq === this.sound.seq && this.pinned.hash === this.sound.hash) return;
    await this.options.clientState.writeHead(this.options.repository, this.sound);
    this.pinned = this.sound;
  }
}
