import { CairnError, invariant } from '../errors.ts';
import { OneAtATime } from '../flow/one-at-a-time.ts';
import { toHex } from '../ids.ts';
import { PIN } from '../limits.ts';
import type { ArchiveRecord, LogState } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';

const PIN_ID_BYTES = 16;
const NS_PER_MS = 1_000_000n;

/** Who keeps an archive from being dropped, and for how long. */
export interface PinOptions {
  /** Who reads, for people who read the log: `mount /srv/old on web1`. */
  readonly holder: string;
  /** Milliseconds that the pin lasts unless it is renewed; `PIN.defaultMs` unless given. */
  readonly ttlMs?: number;
}

/** One PIN in the log. */
interface Placed {
  readonly id: string;
  /** When it ends, milliseconds since 1970 by this machine's clock. */
  readonly untilMs: number;
  /** The monotonic clock when it was placed. */
  readonly placedMs: number;
}

/**
 * A reader's claim that archives stay readable. It ends by `release`, or by itself some time after the last renewal. Until
 * `isReliable` turns false no collector drops them, whatever is deleted meanwhile (rule R11).
 */
export class ArchivePin implements AsyncDisposable {
  /** Ids, 32 hex digits each. */
  readonly archives: readonly string[];
  private readonly access: RepositoryAccess;
  private readonly holder: string;
  private readonly ttlMs: number;
  /** Newest last; the older ones end by themselves. */
  private placed: Placed[] = [];
  /** Milliseconds that the store's clock is ahead of this machine's. */
  private aheadMs = 0;
  private readonly queue = new OneAtATime();
  private released = false;

  private constructor(access: RepositoryAccess, archives: readonly string[], holder: string, ttlMs: number) {
    this.access = access;
    this.archives = archives;
    this.holder = holder;
    this.ttlMs = ttlMs;
  }

  /** As `pinArchives`. */
  static async place(
    access: RepositoryAccess,
    archives: readonly ArchiveRecord[],
    { holder, ttlMs = PIN.defaultMs }: PinOptions,
  ): Promise<ArchivePin> {
    access.refuseWriteOnly('pin archives');
    if (!(ttlMs > 2 * PIN.marginMs && ttlMs <= PIN.maxMs)) {
      throw new CairnError('USAGE', `a pin cannot last ${ttlMs} ms`, {
        hint: `It lasts more than ${2 * PIN.marginMs} ms and at most ${PIN.maxMs} ms; renew it.`,
      });
    }
    const ids = [...new Set(archives.map(({ id }) => id))];
    if (ids.length === 0) throw new CairnError('USAGE', 'no archive to pin is given');
    const pin = new ArchivePin(access, ids, holder, Math.floor(ttlMs));
    await pin.renew();
    return pin;
  }

  /**
   * True while a reader may rely on it: a margin less than it lasts, by this machine's wall clock (which goes on in a machine
   * that sleeps) and by its monotonic clock (which nobody sets).
   */
  get isReliable(): boolean {
    return this.leftMs() > 0;
  }

  /** True when half of its time is over: the moment to renew it, with time left to try again. */
  get isRenewalDue(): boolean {
    return this.leftMs() < this.ttlMs / 2;
  }

  /**
   * Makes it last its time from now on. Rejects with `ARCHIVE_MISSING` when it had ended and an archive was dropped; with what
   * the store rejects with, and then it lasts as long as before.
   */
  renew(): Promise<void> {
    return this.queue.run(async () => {
      invariant(!this.released, 'a pin is not renewed after its release');
      await this.append();
      // A store whose clock is ahead would end it early: say it again by that clock.
      if (this.leftMs() < this.ttlMs / 2) await this.append();
      const nowMs = this.nowMs();
      this.placed = this.placed.filter((one, i) => i === this.placed.length - 1 || one.untilMs > nowMs);
    });
  }

  /** Ends it now. Doing so again does nothing. Rejects with what the store rejects with; then it ends by itself. */
  release(): Promise<void> {
    return this.queue.run(async () => {
      this.released = true;
      const nowMs = this.nowMs();
      for (const { id, untilMs } of this.placed) {
        if (untilMs > nowMs) {
          await this.access.log.append((state) => (state.pins.has(id) ? { kind: 'UNPIN', pin: id } : undefined));
        }
        this.placed = this.placed.filter((one) => one.id !== id);
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  private async append(): Promise<void> {
    const { log, environment } = this.access;
    const id = toHex(environment.random.bytes(PIN_ID_BYTES));
    let [nowMs, placedMs, untilMs] = [0, 0, 0];
    const seq = await log.append((state) => {
      this.refuseDropped(state);
      nowMs = this.nowMs();
      placedMs = environment.clock.monotonicMs();
      untilMs = nowMs + this.aheadMs + this.ttlMs;
      return { kind: 'PIN', pin: id, archives: this.archives, until: BigInt(untilMs) * NS_PER_MS, holder: this.holder };
    });
    invariant(seq !== undefined, 'a pin was to be appended');
    // As far as is known yet: it is in the log, whatever the store answers next.
    const newest = this.placed.push({ id, untilMs: untilMs - this.aheadMs, placedMs }) - 1;
    this.aheadMs = Math.max(0, Math.floor(await log.receivedMs(seq)) - nowMs);
    this.placed[newest] = { id, untilMs: untilMs - this.aheadMs, placedMs };
  }

  /** Milliseconds that a reader may still rely on it; not above 0 when it may not. */
  private leftMs(): number {
    const newest = this.placed.at(-1);
    if (newest === undefined) return 0;
    const byWall = newest.untilMs - this.nowMs();
    const byMonotonic = newest.placedMs + this.ttlMs - this.access.environment.clock.monotonicMs();
    return Math.min(byWall, byMonotonic) - PIN.marginMs;
  }

  private refuseDropped(state: LogState): void {
    for (const id of this.archives) {
      const archive = state.archives.get(id);
      if (archive !== undefined && archive.state !== 'dropped') continue;
      throw new CairnError('ARCHIVE_MISSING', `${archive?.name ?? id} cannot be pinned: its space was given back`, {
        hint: 'It was deleted, and its grace was over. See what there is with `cairn list`.',
      });
    }
  }

  private nowMs(): number {
    return Number(this.access.environment.clock.nowNs() / NS_PER_MS);
  }
}

/**
 * Keeps archives, live or deleted, from being dropped while they are read. The pin lasts `ttlMs` and must be renewed; that of
 * a reader who died ends by itself. Rejects with `ARCHIVE_MISSING` when one was dropped, `RIGHT_MISSING` for a key that only
 * backs up, `USAGE` for a time out of range.
 */
export async function pinArchives(
  access: RepositoryAccess,
  archives: readonly ArchiveRecord[],
  options: PinOptions,
): Promise<ArchivePin> {
  return await ArchivePin.place(access, archives, options);
}
