import { CairnError, isCairnError, systemErrorCode } from '../errors.ts';
import { displayName, type ByteString } from '../host/byte-path.ts';

/** Why an entry could not be made in the target. A plain value: it crosses threads. */
export interface TargetFailure {
  readonly kind: 'exists' | 'target';
  /** What happened, without the path. */
  readonly reason: string;
  /** Every further entry would fail alike: no space, no descriptors, a broken or read-only file system. */
  readonly fatal: boolean;
}

const FATAL: readonly (string | undefined)[] = ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENFILE', 'ENOMEM'];

/** True for an error that the kernel gave, as opposed to a mistake of the program (whose codes begin with `ERR_`). */
export function isSystemError(error: unknown): error is Error & { readonly code: string } {
  const code = isCairnError(error) ? undefined : systemErrorCode(error);
  return error instanceof Error && code !== undefined && !code.startsWith('ERR_');
}

/** What a system error says about the entry that was to be made. Throws anything that is neither that nor a bound. */
export function targetFailure(error: unknown): TargetFailure {
  if (isCairnError(error, 'TARGET_FAILED') || isCairnError(error, 'LIMIT_EXCEEDED')) {
    return { kind: 'target', reason: error.message, fatal: false };
  }
  if (!isSystemError(error)) throw error;
  const { code, message } = error;
  return { kind: code === 'EEXIST' ? 'exists' : 'target', reason: message, fatal: FATAL.includes(code) };
}

/** The error that ends a restore whose target takes no more. */
export function targetError(path: ByteString, failure: TargetFailure): CairnError {
  return new CairnError('TARGET_FAILED', `cannot restore ${displayName(path)}: ${failure.reason}`, {
    hint: 'What was restored completely before is still there; make room or choose another target.',
  });
}
