import { CairnError, systemErrorCode } from '../errors.ts';
import type { ProblemKind } from './problems.ts';

/** Why an entry of the source could not be stored. */
export interface SourceTrouble {
  readonly kind: Extract<ProblemKind, 'unreadable' | 'vanished' | 'changed'>;
  readonly message: string;
}

/** What opening or reading says of something that is of another kind than its status a moment before (open(2), pread(2)). */
const OTHER_KIND: readonly string[] = ['ELOOP', 'ENOTDIR', 'EISDIR', 'ESPIPE', 'ENXIO'];

export const REPLACED: SourceTrouble = { kind: 'changed', message: 'it was replaced while the backup ran' };

/** What the file system said about an entry; undefined for any other error, which is not about the source. */
export function troubleOf(error: unknown): SourceTrouble | undefined {
  const code = systemErrorCode(error);
  // Errors of system calls have a number; Node's own errors have a code, too.
  if (error instanceof CairnError || !(error instanceof Error) || code === undefined || !('errno' in error)) {
    return undefined;
  }
  if (code === 'ENOENT') return { kind: 'vanished', message: 'it vanished while the backup ran' };
  const noLink = code === 'EINVAL' && 'syscall' in error && error.syscall === 'readlink';
  return noLink || OTHER_KIND.includes(code) ? REPLACED : { kind: 'unreadable', message: error.message };
}
