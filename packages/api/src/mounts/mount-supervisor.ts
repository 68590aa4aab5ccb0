import {
  CairnError,
  FILE_SYSTEM_TYPE,
  isCairnError,
  isDead,
  PANEL,
  readMountTable,
  type Environment,
  type MountEntry,
} from '@cairn/core';
import { join } from 'node:path';

import type { PanelConfig, RepositoryConfig } from '../config/panel-file.ts';
import type { OpenRepositories } from '../repositories/open-repositories.ts';
import { nowMs } from '../state/time.ts';
import { mountArguments, runCairn } from './mount-command.ts';
import { isBelow, makePlace, mountDirectory, mountId, removePlace } from './mount-places.ts';
import type { MountRecord, MountRecords } from './mount-records.ts';
import { isBeingMounted } from './mounting-process.ts';
import { OneAtATimeEach } from './one-at-a-time-each.ts';

/** How an archive stands that is mounted. `deleted`: it can be brought back; `gone`: it is nowhere but in the mount. */
export type ArchiveStanding = 'live' | 'deleted' | 'gone' | 'unknown';

/** A mount as it is. */
export interface Mount {
  readonly id: string;
  readonly directory: string;
  /** `beginning`: not there yet. `dead`: its process is gone, and what is left could not be cleared. */
  readonly state: 'beginning' | 'mounted' | 'dead';
  /** What the panel knows of it; undefined for one that somebody else made in the place for mounts. */
  readonly record: MountRecord | undefined;
  /** Undefined for a whole repository, and for one that somebody else made. */
  readonly standing: ArchiveStanding | undefined;
}

export interface SupervisorOptions {
  readonly config: Pick<PanelConfig, 'mounts' | 'state-directory'>;
  readonly records: MountRecords;
  readonly repositories: OpenRepositories;
  readonly environment: Pick<Environment, 'clock'>;
  /** What starts the program. */
  readonly cairnCommand: readonly string[];
}

/** Milliseconds that the state of archives is waited for: mounts are shown although their repository does not answer. */
const STANDING_MS = 3_000;

/**
 * Mounts, unmounts, and tells what is mounted. Each mount is served by a process of its own that outlives this one; what there is says the
 * kernel's table, and what is remembered only adds to it who made a mount of what. After a restart, or a reboot, that is all it takes.
 */
export class MountSupervisor {
  private readonly options: SupervisorOptions;
  private readonly works = new OneAtATimeEach();
  /** Mounts that this process is making, by id. */
  private readonly working = new Set<string>();

  constructor(options: SupervisorOptions) {
    this.options = options;
  }

  /** What is mounted, oldest first. What killed processes left is cleared, and what is not there any more is forgotten. */
  async list(): Promise<Mount[]> {
    const { records } = this.options;
    const dead = new Set<string>();
    await Promise.all(
      this.table().map(async (entry) => {
        if (!(await this.isAlive(entry))) dead.add(entry.directory);
      }),
    );
    const there = this.table();
    const mounted = new Set(there.map(({ directory }) => mountId(directory)));
    // Also those that the process before this one began.
    for (const id of mounted) records.begun(id);
    const others = records.all().filter(({ id }) => !mounted.has(id));
    const beginning = others.filter((record) => this.mayBegin(record));
    const mounts = [
      ...there.map(({ directory }): Mount => {
        const id = mountId(directory);
        return {
          id,
          directory,
          state: dead.has(directory) ? 'dead' : 'mounted',
          record: records.find(id),
          standing: undefined,
        };
      }),
      ...beginning.map((record): Mount => {
        const { id, directory } = record;
        return { id, directory, state: 'beginning', record, standing: undefined };
      }),
    ];
    await this.forgetGone(others.filter((record) => !beginning.includes(record)));
    return await this.withStandings(mounts);
  }

  /**
   * Mounts an archive, or a whole repository when none is named. One that is mounted already is given as it is. Rejects with `NOT_FOUND`,
   * `ARCHIVE_MISSING`, `MOUNT_FAILED`, `MOUNT_BUSY`, `HOST_UNSUPPORTED`, and as `cairn mount` does.
   */
  async mount(order: {
    readonly repository: string;
    /** Name, id, or the beginning of one. */
    readonly archive: string | undefined;
    readonly account: string;
  }): Promise<{ readonly mount: Mount; readonly isNew: boolean }> {
    const repository = this.options.repositories.config(order.repository);
    const archive = order.archive === undefined ? null : await this.archive(repository.name, order.archive);
    return await this.works.run(`${repository.name}/${archive?.id ?? ''}`, async () => {
      const mounts = await this.list();
      const known = mounts.find(
        ({ record }) => record?.repository === repository.name && record.archive?.id === archive?.id,
      );
      if (known?.state === 'mounted') return { mount: known, isNew: false };
      if (known !== undefined) {
        throw new CairnError(
          'MOUNT_BUSY',
          `${known.directory} is ${known.state === 'dead' ? 'dead' : 'being mounted'}`,
          {
            hint: 'Look again in a moment, or unmount it.',
          },
        );
      }
      this.assertRoom(mounts);
      const record = this.begin(repository, archive, order.account);
      await this.run(repository, record);
      const { id, directory } = record;
      // Live a moment ago, or it could not have been mounted.
      const standing = archive === null ? undefined : 'live';
      const mount: Mount = { id, directory, state: 'mounted', record: { ...record, isBeginning: false }, standing };
      return { mount, isNew: true };
    });
  }

  /**
   * Unmounts. Rejects with `NOT_FOUND`, with `MOUNT_BUSY` when somebody is in it, naming who; `lazy` takes it out of sight all the
   * same, and what is open stays readable until it is closed.
   */
  async unmount(id: string, { lazy }: { readonly lazy: boolean }): Promise<void> {
    const entry = this.table().find(({ directory }) => mountId(directory) === id);
    const { cairnCommand, records } = this.options;
    const record = records.find(id);
    if (entry === undefined) {
      if (record !== undefined && this.mayBegin(record)) {
        throw new CairnError('MOUNT_BUSY', `${record.directory} is being mounted`, { hint: 'Try again in a moment.' });
      }
      throw new CairnError('NOT_FOUND', `there is no mount ${id}`, { hint: 'It was unmounted. See what there is.' });
    }
    await this.works.run(entry.directory, async () => {
      await runCairn(cairnCommand, ['umount', '--json', ...(lazy ? ['--lazy'] : []), '--', entry.directory]);
      records.remove(id);
      await removePlace(entry.directory);
    });
  }

  /** What is remembered of a mount; undefined for one that somebody else made, and for none. */
  recordOf(id: string): MountRecord | undefined {
    return this.options.records.find(id);
  }

  /** Several may begin at once, so those that this process is making count too, before they are in any list. */
  private assertRoom(mounts: readonly Mount[]): void {
    const ids = new Set([...mounts.map(({ id }) => id), ...this.working]);
    if (ids.size < PANEL.mounts) return;
    throw new CairnError('MOUNT_BUSY', `${ids.size} archives are mounted, and no more may be`, {
      hint: 'Unmount one that nobody needs any more.',
    });
  }

  /** Chooses the directory, and remembers it: at once, so that nobody else does between the two. */
  private begin(repository: RepositoryConfig, archive: MountRecord['archive'], account: string): MountRecord {
    const { config, records, environment } = this.options;
    const taken = new Set(this.table().map(({ directory }) => directory));
    const isTaken = (directory: string): boolean =>
      taken.has(directory) || records.find(mountId(directory)) !== undefined;
    const directory = mountDirectory(config.mounts.directory, repository.name, archive, isTaken);
    const sinceMs = nowMs(environment.clock);
    const record = {
      id: mountId(directory),
      repository: repository.name,
      archive,
      directory,
      sinceMs,
      account,
      isBeginning: true,
    };
    this.working.add(record.id);
    records.put(record);
    return record;
  }

  private async run(repository: RepositoryConfig, record: MountRecord): Promise<void> {
    const { config, records, cairnCommand } = this.options;
    const { mounts: settings } = config;
    const { directory } = record;
    const logFile = join(config['state-directory'], 'mount.log');
    await this.works.run(directory, async () => {
      try {
        await makePlace(settings.directory, directory, settings['allow-other']);
        const archive = record.archive?.id;
        await runCairn(cairnCommand, mountArguments({ repository, archive, directory, settings, logFile }));
      } catch (error) {
        records.remove(record.id);
        await removePlace(directory);
        throw error;
      } finally {
        this.working.delete(record.id);
      }
      records.begun(record.id);
    });
  }

  /** Forgets mounts that are not there any more, and takes away their directories, unless somebody mounts there anew. */
  private async forgetGone(gone: readonly MountRecord[]): Promise<void> {
    const { records } = this.options;
    for (const { id } of gone) records.remove(id);
    await Promise.all(
      gone.map(async ({ id, directory }) => {
        await this.works.run(directory, async () => {
          if (records.find(id) === undefined) await removePlace(directory);
        });
      }),
    );
  }

  /** What the kernel has in the place for mounts, the newest where there are several at one directory. */
  private table(): MountEntry[] {
    const base = this.options.config.mounts.directory;
    const entries = readMountTable().filter(
      ({ type, directory }) => type === FILE_SYSTEM_TYPE && isBelow(base, directory),
    );
    return [...new Map(entries.map((entry) => [entry.directory, entry])).values()];
  }

  /** False for a mount whose process is gone and that could not be cleared; one that was cleared is not in the table any more. */
  private async isAlive(entry: MountEntry): Promise<boolean> {
    if (!(await isDead(entry))) return true;
    const { directory } = entry;
    return await this.works.run(directory, async () => {
      if (!(await isDead(entry))) return true;
      try {
        await runCairn(this.options.cairnCommand, ['umount', '--json', '--', directory]);
        return true;
      } catch (error) {
        if (isCairnError(error)) return false;
        throw error;
      }
    });
  }

  /** Whether the command that mounts is still at it, also one that a process before this one started. */
  private mayBegin({ id, isBeginning, directory }: MountRecord): boolean {
    return isBeginning && (this.working.has(id) || isBeingMounted(directory));
  }

  private async archive(repository: string, ref: string): Promise<{ readonly id: string; readonly name: string }> {
    return await this.options.repositories.use(repository, ({ repository: opened }) => {
      const { id, name } = opened.archive(ref);
      return Promise.resolve({ id, name });
    });
  }

  private async withStandings(mounts: readonly Mount[]): Promise<Mount[]> {
    const names = new Set(mounts.flatMap(({ record }) => (record?.archive === null ? [] : (record?.repository ?? []))));
    const standings = new Map<string, ReadonlyMap<string, ArchiveStanding> | undefined>();
    await Promise.all([...names].map(async (name) => standings.set(name, await this.standings(name))));
    return mounts.map((mount) => {
      const { record } = mount;
      if (record === undefined || record.archive === null) return mount;
      const known = standings.get(record.repository);
      return { ...mount, standing: known === undefined ? 'unknown' : (known.get(record.archive.id) ?? 'gone') };
    });
  }

  /** How the archives of a repository stand; undefined when it does not answer soon. */
  private async standings(name: string): Promise<ReadonlyMap<string, ArchiveStanding> | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), STANDING_MS)));
    const asked = this.options.repositories.use(name, ({ repository }) => {
      const { archives } = repository.access.log.state;
      const found = [...archives.values()].filter(({ state }) => state !== 'dropped');
      return Promise.resolve(
        new Map(found.map(({ id, state }) => [id, state === 'deleted' ? 'deleted' : 'live'] as const)),
      );
    });
    try {
      return await Promise.race([asked, late]);
    } catch {
      // The mount is there, whatever becomes of its repository; that it is not known is what is shown.
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}
