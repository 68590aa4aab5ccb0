import { CairnError, invariant, isCairnError } from '../errors.ts';
import { logName, toHex } from '../ids.ts';
import type { ClientState, SeenHead } from '../ports/client-state.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Environment } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { decodeLogFrame, encodeLogFrame } from './entry.ts';
import { decodeLogEntry, encodeLogEntry, LOG_KIND_NUMBER, type LogEntry } from './kinds.ts';
import { LogState } from './state.ts';

/** How many entries are fetched at once while replaying. */
const REPLAY_WIDTH = 16;

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

/** The repository's log: replayed from the store, verified, and appended to by compare-and-swap. */
export class Log {
  private readonly options: LogOptions;
  private replayed = new LogState();
  private head: SeenHead;
  private pinned: SeenHead | undefined;
  /** Settles when everything that was asked for before is done: two appends at once would replay one entry twice. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(options: LogOptions) {
    this.options = options;
    this.head = { seq: 0, hash: toHex(options.configHash) };
  }

  /**
   * Replays the whole log. Rejects with `ROLLBACK_DETECTED` when it is shorter than, or differs from, what this client saw
   * before; with `CORRUPT` when an entry is damaged or breaks a rule.
   */
  static async open(options: LogOptions): Promise<Log> {
    const log = new Log(options);
    log.pinned = await options.clientState.readHead(options.repository);
    const received = new Map<string, number>();
    for await (const info of options.store.list('log')) received.set(info.name, info.receivedMs);
    await log.replayListed(received);
    await log.catchUp();
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

  /** Replays what others appended since; probes slot by slot until one is free. */
  refresh(): Promise<void> {
    return this.inTurn(() => this.catchUp());
  }

  /**
   * Appends what `decide` returns for the state at the head; when another client was faster, replays and asks again.
   * `undefined` from `decide` appends nothing. Resolves once the entry is durable. An entry that breaks a rule of the log is
   * not written: it would stop every client for ever.
   * @param decide must not call this log.
   */
  append(decide: (state: LogState) => LogEntry | undefined | Promise<LogEntry | undefined>): Promise<void> {
    return this.inTurn(async () => {
      for (;;) {
        const entry = await decide(this.replayed);
        if (entry === undefined) return;
        const violation = this.replayed.violation(entry);
        invariant(violation === undefined, `a ${entry.kind} that breaks no rule of the log: ${violation}`);
        const seq = this.head.seq + 1;
        const object = this.encode(seq, entry);
        if (await this.put(seq, object)) {
          this.take(object, Number(this.options.environment.clock.nowNs() / 1_000_000n));
          await this.remember();
          return;
        }
        await this.catchUp();
      }
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work, work);
    this.turn = done;
    return done;
  }

  private async catchUp(): Promise<void> {
    for (;;) {
      const object = await this.fetch(this.head.seq + 1);
      if (object === undefined) return;
      this.take(object, await this.receivedMs(this.head.seq + 1));
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

  /** True when `object` is in slot `seq` now. An unknown outcome is decided by reading the slot back (rule W4). */
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

  private async replayListed(received: ReadonlyMap<string, number>): Promise<void> {
    const count = received.size;
    for (let first = 1; first <= count; first += REPLAY_WIDTH) {
      const last = Math.min(count, first + REPLAY_WIDTH - 1);
      const objects = await Promise.all(Array.from({ length: last - first + 1 }, (_, i) => this.fetch(first + i)));
      for (const [i, object] of objects.entries()) {
        if (object === undefined) {
          throw new CairnError(
            'OBJECT_MISSING',
            `log entry ${first + i} is missing from ${this.options.store.description}`,
            {
              hint: 'The store lost an entry or hides it. Do not write to it; restore the store from a copy.',
            },
          );
        }
        this.take(object, received.get(logName(first + i)) ?? 0);
      }
    }
  }

  private async receivedMs(seq: number): Promise<number> {
    for await (const info of this.options.store.list('log')) if (info.name === logName(seq)) return info.receivedMs;
    return 0;
  }

  private take(object: Uint8Array, receivedMs: number): void {
    const { suite, logKey } = this.options;
    const seq = this.head.seq + 1;
    const what = `log entry ${seq}`;
    const frame = decodeLogFrame(suite, logKey, object, what);
    if (frame.seq !== seq) throw new CairnError('CORRUPT', `${what} says it is entry ${frame.seq}`);
    if (toHex(frame.previous) !== this.head.hash) {
      throw new CairnError('CORRUPT', `${what} does not follow the entry before it`, {
        hint: 'The history was altered. Do not write to this store.',
      });
    }
    this.replayed.apply(seq, receivedMs, decodeLogEntry(frame.kind, frame.publicPart, frame.sealedPart, what));
    this.head = { seq, hash: toHex(suite.sha256(object)) };
    if (this.pinned?.seq === seq && this.pinned.hash !== this.head.hash) this.rollback();
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
      `${store.description} shows another history than this machine saw before (its log has ${this.head.seq} entries, entry ${this.pinned?.seq} was seen)`,
      {
        hint: 'The store was set back or replaced. If you restored it from a copy on purpose, remove the remembered head.',
      },
    );
  }

  private async remember(): Promise<void> {
    if (this.pinned?.seq === this.head.seq && this.pinned.hash === this.head.hash) return;
    await this.options.clientState.writeHead(this.options.repository, this.head);
    this.pinned = this.head;
  }
}
