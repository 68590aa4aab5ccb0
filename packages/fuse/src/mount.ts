import { systemEnvironment, type ArchiveRecord, type ArchiveReader, type Repository } from '@cairn/core';

import { fuseNativeDriver } from './driver/fuse-native.ts';
import { linuxDriver } from './driver/linux.ts';
import type { LiveMount, MountDriver } from './driver/port.ts';
import type { OwnerRules } from './filesystem/attributes.ts';
import { ArchiveFileSystem } from './filesystem/file-system.ts';
import { fileName } from './filesystem/shown-names.ts';

/** What to mount, where, and how it looks. */
export interface MountRequest {
  /** One archive; all of the repository when absent. */
  readonly archive?: ArchiveRecord;
  /** An existing directory, absolute. */
  readonly directory: string;
  readonly rules?: OwnerRules;
  /** Users other than the one who mounts may look too. Default: no. */
  readonly allowOther?: boolean;
  /** Whoever may look may read everything, whatever owners and permissions say. Default: no. */
  readonly ignorePermissions?: boolean;
  /** Worker threads that open chunks. One for each core, up to 4, unless given. */
  readonly threads?: number;
}

/** Who is told what while it is mounted. */
export interface MountRun {
  /** Hears of what could not be read, and of what else went wrong. */
  readonly onProblem?: (text: string) => void;
  /** Called, and waited for, before anything in an archive is looked at: the place to pin it. */
  readonly onEnter?: (archive: ArchiveRecord) => Promise<void>;
  /** What brings it to the kernel. Default: the one for this system. */
  readonly driver?: MountDriver;
}

/**
 * Mounts an archive, or a whole repository, read-only. The process must stay until it is unmounted, and call `detach` of what
 * this gives when it ends in another way. The repository is the mount's, and stays open. One mount for each process.
 *
 * Rejects with `MOUNT_FAILED`, `HOST_UNSUPPORTED`, `RIGHT_MISSING` or `CORRUPT`, and as stores do.
 */
export async function mountArchives(
  repository: Repository,
  request: MountRequest,
  run: MountRun = {},
): Promise<LiveMount> {
  const { archive, directory, allowOther = false, ignorePermissions = false, threads } = request;
  const { onProblem = () => undefined } = run;
  const reader = await repository.reader(threads === undefined ? {} : { threads });
  try {
    const fileSystem = showArchives(repository, reader, archive, { ...request, ...run, onProblem });
    const driver = run.driver ?? (process.platform === 'linux' ? linuxDriver : fuseNativeDriver);
    const mount = await driver.mount({
      fileSystem,
      directory,
      source: `cairn:${archive === undefined ? repository.id : printable(archive.name)}`,
      allowOther,
      checkPermissions: !ignorePermissions,
      onProblem,
    });
    return { ...mount, ended: mount.ended.finally(() => reader[Symbol.asyncDispose]()) };
  } catch (error) {
    await reader[Symbol.asyncDispose]();
    throw error;
  }
}

/** An archive, or a whole repository when none is given, as a file system that no driver was given yet. */
export function showArchives(
  repository: Repository,
  reader: ArchiveReader,
  archive: ArchiveRecord | undefined,
  how: {
    readonly rules?: OwnerRules;
    readonly onProblem: (text: string) => void;
    readonly onEnter?: (archive: ArchiveRecord) => Promise<void>;
  },
): ArchiveFileSystem {
  const all = {
    archives: () => repository.archives(),
    refresh: async () => await repository.access.log.refresh(),
  };
  const { rules, onProblem, onEnter } = how;
  return new ArchiveFileSystem({
    reader,
    clock: systemEnvironment.clock,
    shown: archive === undefined ? { all } : { archive },
    onProblem,
    ...(rules === undefined ? {} : { rules }),
    ...(onEnter === undefined ? {} : { onEnter }),
  });
}

/** A name as a table of mounts can show it. */
function printable(name: string): string {
  return fileName(name).replaceAll(/[^\w.:@+-]/g, '_');
}
