import type { ErrorCode } from '../errors.ts';
import { CairnError, isCairnError, systemErrorCode } from '../errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly hint: string;
}

const FULL: Meaning = {
  code: 'STORE_FULL',
  hint: 'Free space on the file system of the store or raise the quota, then run the command again.',
};
const DENIED: Meaning = {
  code: 'STORE_DENIED',
  hint: 'Check who owns the folders of the store, their permissions, and whether it is mounted read-only.',
};
const FAILED: Meaning = {
  code: 'STORE_FAILED',
  hint: 'Check that the disk of the store is mounted and sound, then run the command again.',
};

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
};

/** Rejects with the store's error for a system error; `what` says the action, object and place. Others pass as they are. */
export function throwStoreError(error: unknown, what: string): never {
  if (isCairnError(error) || !isSystemError(error)) throw error;
  const { code, hint } = MEANINGS[systemErrorCode(error) ?? ''] ?? FAILED;
  throw new CairnError(code, `cannot ${what}: ${error.message}`, { hint, cause: error });
}

/** Node's own argument errors have a `code` too, but no system call: those are bugs, and must look like bugs. */
function isSystemError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error;
}
