import type { ArchiveFileSystem } from '../filesystem/file-system.ts';

/** What a driver is to mount, and how. */
export interface MountOptions {
  readonly fileSystem: ArchiveFileSystem;
  /** Where: an existing directory, absolute. */
  readonly directory: string;
  /** What tables of mounts show as the source; printable, without secrets. */
  readonly source: string;
  /** Other users may look too. */
  readonly allowOther: boolean;
  /** The kernel checks owners and permissions; otherwise whoever may look may read everything. */
  readonly checkPermissions: boolean;
  /** Hears of failures that are nobody's answer: a request that does not parse, an answer that was refused. */
  readonly onProblem: (text: string) => void;
}

/** A mount that is up. */
export interface LiveMount {
  readonly directory: string;
  /** Resolves when it is gone, however that came about. Rejects when the driver failed. */
  readonly ended: Promise<void>;
  /**
   * Takes it away. Rejects with `MOUNT_BUSY`, naming who holds it; `lazy`: takes it out of sight at once, and what is open stays
   * readable until it is closed.
   */
  unmount(options?: { readonly lazy?: boolean }): Promise<void>;
  /** The same as a lazy unmount, at once and without waiting: for the moment in which the process ends. */
  detach(): void;
}

/** Brings a file system to the kernel. Always read-only, without setuid programs and without devices. */
export interface MountDriver {
  readonly name: string;
  /** Rejects with `MOUNT_FAILED` or `HOST_UNSUPPORTED`. */
  mount(options: MountOptions): Promise<LiveMount>;
}
