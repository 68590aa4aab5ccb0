import { systemEnvironment, type ArchiveRecord, type ArchiveReader, type Repository } from '@cairn/core';

import { fuseNativeDriver } from './driver/fuse-native.ts';
import { linuxDriver } from './driver/linux.ts';
import type { LiveMount, MountDriver } from './driver/port.ts';
import type { OwnerRules } from './filesystem/attributes.ts';
import { ArchiveFileSystem } from './filesystem/file-system.ts';
import { fileName } from './filesystem/shown-names.ts';
import { MountPins } from './mount-pins.ts';

/** Opened chunks that a mount keeps, bytes. What is read once more soon is kept by the kernel anyway. */
const CACHE = { dataBytes: 12 * 1024 * 1024, treeBytes: 8 * 1024 * 1024 } as const;

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
  /**
   * Pins archives that somebody looks into, under this name in the log: what is deleted meanwhile stays readable until it is
   * unmounted. Absent: nothing is pinned, and nothing is written to the repository.
   */
  readonly pinAs?: string;
}

/** Who is told what while it is mounted. */
export interface MountRun {
  /** Hears of what could not be read, and of what else went wrong. */
  readonly onProblem?: (text: string) => void;
  /** What brings it to the kernel. Default: the one for this system. */
  readonly driver?: MountDriver;
  /** Called when it is gone, before the pins are released: from then on nobody waits for a store that does not answer. */
  readonly onUnmounted?: () => void;
}

/**
 * Mounts an archive, or a whole repository, read-only. The process must stay until it is unmounted, and call `detach` of what
 * this gives when it ends in another way. The repository is the mount's, and stays open. One mount for each process.
 *
 * Rejects with `MOUNT_FAILED`, `HOST_UNSUPPORTED`, `RIGHT_MISSING`, `ARCHIVE_MISSING` or `CORRUPT`, and as stores do.
 */
export async function mountArchives(
  repository: Repository,
  request: MountRequest,
  run: MountRun = {},
): Promise<LiveMount> {
  const { archive, directory, allowOther = false, ignorePermissions = false, threads } = request;
  const { onProblem = () => undefined } = run;
  const pins = request.pinAs === undefined ? undefined : new MountPins(repository, request.pinAs, onProblem);
  const memory = { ...CACHE, freesChunks: true };
  const reader = await repository.reader({ ...memory, ...(threads === undefined ? {} : { threads }) });
  let isGone = false;
  const onReadProblem = (text: string): void => {
    // What was read ahead when it was unmounted is nobody's problem.
    if (!isGone) onProblem(text);
  };
  const end = async (): Promise<void> => {
    isGone = true;
    run.onUnmounted?.();
    await reader[Symbol.asyncDispose]();
    await pins?.release();
  };
  try {
    if (archive !== undefined) await pins?.pin(archive);
    const onEnter = pins === undefined ? {} : { onEnter: async (one: ArchiveRecord) => await pins.pin(one) };
    const rules = request.rules === undefined ? {} : { rules: request.rules };
    const fileSystem = showArchives(repository, reader, archive, { ...rules, ...onEnter, onProblem: onReadProblem });
    const driver = run.driver ?? (process.platform === 'linux' ? linuxDriver : fuseNativeDriver);
    const mount = await driver.mount({
      fileSystem,
      directory,
      source: `cairn:${archive === undefined ? repository.id : printable(archive.name)}`,
      allowOther,
      checkPermissions: !ignorePermissions,
      onProblem,
    });
    reader.startThreads();
    return { ...mount, ended: mount.ended.finally(end) };
  } catch (error) {
    await end();
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
