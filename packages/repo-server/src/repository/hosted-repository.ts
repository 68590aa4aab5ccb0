import { CairnError, DirectoryStore, isCairnError, LIMITS, OBJECT_KINDS, type Clock } from '@cairn/core/server';
import { access, constants, statfs } from 'node:fs/promises';
import { join } from 'node:path';

import type { Logger } from '../operate/logger.ts';
import type { Floors } from './floors.ts';
import { Ledger } from './ledger.ts';
import { LogKeeper } from './log-keeper.ts';
import { Reserve } from './reserve.ts';

/** A repository as the host's file describes it. */
export interface HostedSettings {
  readonly name: string;
  readonly path: string;
  readonly floors: Floors;
  /** Bytes that the repository may have in all; undefined: as many as the disk has. */
  readonly quotaBytes: number | undefined;
  /** Bytes of the quota, and of the disk, that only log entries and a maintainer may use. */
  readonly reserveBytes: number;
  /** Where the server keeps what belongs to this repository and is no part of it. */
  readonly stateDirectory: string;
}

/** Bytes of the file that is given up when the disk is full: enough for some log entries of the largest size. */
const RESERVE_FILE_BYTES = 16 * 1024 * 1024;

/** A repository that this server keeps: its objects, its log, and who did what. Clients reach it through `GuardedHost`. */
export class HostedRepository implements AsyncDisposable {
  readonly settings: HostedSettings;
  readonly store: DirectoryStore;
  readonly log: LogKeeper;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly logger: Logger;
  private readonly reserve: Reserve;
  /** Bytes announced by uploads that are under way in this process, by client. */
  private readonly incoming = new Map<string, number>();
  /** Uploads, and log entries, that come into this process just now, by client. */
  private readonly uploads = new Map<string, number>();
  private readonly entries = new Map<string, number>();

  private constructor(parts: Pick<HostedRepository, 'settings' | 'store' | 'log' | 'ledger' | 'clock' | 'logger'>) {
    this.settings = parts.settings;
    this.store = parts.store;
    this.log = parts.log;
    this.ledger = parts.ledger;
    this.clock = parts.clock;
    this.logger = parts.logger;
    this.reserve = new Reserve(parts.settings.path, RESERVE_FILE_BYTES);
  }

  /** Rejects with `REPOSITORY_MISSING`, with `CORRUPT` when the log is damaged, and as stores do. */
  static async open(settings: HostedSettings, clock: Clock, logger: Logger): Promise<HostedRepository> {
    const store = await openStoreOf(settings);
    const log = await LogKeeper.open(store, clock);
    const ledgerPath = join(settings.stateDirectory, 'ledger');
    const ledger = await Ledger.open(ledgerPath, log.nowMs(), () => measure(store));
    await log.assertAcknowledged(ledger.newestEntry);
    const repository = new HostedRepository({ settings, store, log, ledger, clock, logger });
    await repository.fillReserve();
    return repository;
  }

  /** Takes in what other processes did. */
  async refresh(): Promise<void> {
    await this.log.refresh();
    await this.ledger.follow();
  }

  /** Rejects, as stores and the system do, when the folders are gone or nothing can be written there. */
  async assertServing(): Promise<void> {
    await this.refresh();
    await access(join(this.settings.path, 'tmp'), constants.W_OK);
  }

  /** Bytes that the disk has for this process. Rejects with a system error. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.settings.path);
    return bavail * bsize;
  }

  /**
   * Whether there is room for so many bytes more, beside all uploads that are under way.
   * @param freeBytes what the disk has. Given, so that nothing waits between this and the counting of what is let in.
   * @param kept which part of the reserve must be left; who may use all of it needs only the disk.
   */
  hasRoom(bytes: number, freeBytes: number, kept: number): boolean {
    const { quotaBytes, reserveBytes } = this.settings;
    const incoming = [...this.incoming.values()].reduce((sum, one) => sum + one, 0);
    const needed = incoming + bytes + kept * reserveBytes;
    if (freeBytes < needed) return kept === 0 && freeBytes >= bytes;
    return quotaBytes === undefined || this.ledger.bytes + needed <= quotaBytes;
  }

  /** Bytes of the uploads of a client that are under way in this process. */
  incomingOf(client: string): number {
    return this.incoming.get(client) ?? 0;
  }

  /**
   * Counts an upload as one that its client has at the same time; the function that is given back ends that. Rejects with
   * `STORE_UNREACHABLE` (429) when there are too many: each holds memory.
   */
  beginUpload(client: string): () => void {
    return countOne(this.uploads, client, LIMITS.serverUploads, 'uploads');
  }

  /** The same for a log entry, which is held whole; nobody but the first of several can be next. */
  beginEntry(client: string): () => void {
    return countOne(this.entries, client, LIMITS.serverEntriesAtOnce, 'log entries');
  }

  /** Counts the bytes of an upload as about to come; the function that is given back ends that. */
  announce(client: string, bytes: number): () => void {
    this.incoming.set(client, this.incomingOf(client) + bytes);
    return once(() => this.incoming.set(client, this.incomingOf(client) - bytes));
  }

  /** Does what needs space; when the disk is full, once more after giving up the reserve. */
  async withReserve<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isCairnError(error, 'STORE_FULL') || !(await this.reserve.release())) throw error;
      this.logger.warn('the disk is full; the reserve was given up', { repository: this.settings.name });
      return await work();
    }
  }

  /** Makes the reserve again once there is room. A repository that may only be read has none. */
  async fillReserve(): Promise<void> {
    try {
      const there = await this.reserve.fill();
      if (!there) this.logger.warn('the disk has no room for the reserve', { repository: this.settings.name });
    } catch (error) {
      this.logger.warn('the reserve cannot be made', { repository: this.settings.name, error: String(error) });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
  }
}

async function openStoreOf({ name, path }: HostedSettings): Promise<DirectoryStore> {
  try {
    return await DirectoryStore.open(path);
  } catch (cause) {
    if (!isCairnError(cause, 'REPOSITORY_MISSING')) throw cause;
    throw new CairnError('REPOSITORY_MISSING', cause.message, {
      hint: `Check the path and that its disk is mounted; \`cairn-server create --repo ${name}\` makes the folders of a new one.`,
      cause,
    });
  }
}

function countOne(counts: Map<string, number>, client: string, most: number, what: string): () => void {
  const before = counts.get(client) ?? 0;
  if (before >= most) {
    throw new CairnError('STORE_UNREACHABLE', `too many ${what} at the same time`, { details: { http: 429 } });
  }
  counts.set(client, before + 1);
  return once(() => counts.set(client, (counts.get(client) ?? 1) - 1));
}

function once(work: () => void): () => void {
  let open = true;
  return () => {
    if (open) work();
    open = false;
  };
}

/** Bytes of all objects. */
export async function measure(store: DirectoryStore): Promise<number> {
  let bytes = 0;
  for (const kind of OBJECT_KINDS) for await (const info of store.list(kind)) bytes += info.sizeBytes;
  return bytes;
}
