import { DirectoryStore, isCairnError, OBJECT_KINDS, type Clock } from '@cairn/core/server';
import { statfs } from 'node:fs/promises';
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
  /** Bytes announced by uploads that are under way in this process. */
  private incomingBytes = 0;

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
    const store = await DirectoryStore.open(settings.path);
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

  /**
   * Whether there is room for so many bytes more: for anybody, and for those who may use the reserve.
   * Rejects as stores do.
   */
  async hasRoom(bytes: number, useReserve: boolean): Promise<boolean> {
    const { quotaBytes, reserveBytes, path } = this.settings;
    const kept = useReserve ? 0 : reserveBytes;
    const { bavail, bsize } = await statfs(path);
    if (bavail * bsize < this.incomingBytes + bytes + kept) return useReserve && bavail * bsize >= bytes;
    return quotaBytes === undefined || this.ledger.bytes + this.incomingBytes + bytes + kept <= quotaBytes;
  }

  /** Counts an upload that is under way; the function that is given back ends that. */
  announce(bytes: number): () => void {
    this.incomingBytes += bytes;
    let open = true;
    return () => {
      if (open) this.incomingBytes -= bytes;
      open = false;
    };
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

/** Bytes of all objects. */
export async function measure(store: DirectoryStore): Promise<number> {
  let bytes = 0;
  for (const kind of OBJECT_KINDS) for await (const info of store.list(kind)) bytes += info.sizeBytes;
  return bytes;
}
