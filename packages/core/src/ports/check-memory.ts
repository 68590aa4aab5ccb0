/**
 * When the packs of a repository were last read wholly by a check of this client, so that the next one goes on with those that
 * wait longest. Disposable: losing it means starting again.
 */
export interface CheckMemory {
  /** Milliseconds since 1970 by pack name; nothing when nothing is remembered. Rejects when it cannot be read. */
  read(repository: string): Promise<ReadonlyMap<string, number>>;
  /** Replaces what is remembered. Rejects when it cannot be written. */
  write(repository: string, verifiedMs: ReadonlyMap<string, number>): Promise<void>;
}

/** Remembers nothing. */
export const noCheckMemory: CheckMemory = {
  read: () => Promise.resolve(new Map()),
  write: () => Promise.resolve(),
};
