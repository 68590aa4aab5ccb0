import { CairnError } from '../errors.ts';
import { isSuperuser } from '../host/effective-user.ts';
import type { ArchiveRecord } from '../log/state.ts';
import { defaultRestoreThreads } from './lanes.ts';
import type { RestorePolicy } from './metadata-writer.ts';
import type { RestoreOptions } from './options.ts';

/** How entries are made. */
export function policyOf(options: RestoreOptions): RestorePolicy {
  const { privileged, numericOwner, sparse, withHoles, inPlace } = options;
  return {
    privileged: privileged === true && isSuperuser(),
    numericOwner: numericOwner === true,
    sparse: sparse !== false,
    withHoles: withHoles === true,
    placement: inPlace === undefined ? 'direct' : inPlace.overwrite === 'never' ? 'link' : 'rename',
  };
}

/** Rejects with `USAGE` for what cannot go together. */
export function checkOptions(
  { descriptor }: ArchiveRecord,
  { inPlace, intoNonEmpty, stripComponents = 0, withHoles, verify }: RestoreOptions,
): void {
  if (withHoles === true && (inPlace !== undefined || verify === true)) {
    throw new CairnError(
      'USAGE',
      'files with holes are not what the archive says: they replace nothing, and cannot be verified',
      {
        hint: 'Restore them into a directory of their own.',
      },
    );
  }
  if (inPlace === undefined) return;
  if (intoNonEmpty === true) throw new CairnError('USAGE', 'a restore in place is into what there is anyway');
  if (inPlace.delete !== true) return;
  if (stripComponents > 0) {
    throw new CairnError(
      'USAGE',
      'what is missing in several directories of an archive that become one cannot be removed',
      {
        hint: 'Take no components off the paths, or remove nothing.',
      },
    );
  }
  if (descriptor.complete) return;
  throw new CairnError('USAGE', 'an archive that is not complete does not tell what may be removed', {
    hint: 'What could not be read when it was made would be removed. Choose another archive, or remove nothing.',
  });
}

/** Names to take off. Rejects with `USAGE`. */
export function stripOf({ stripComponents = 0 }: RestoreOptions): number {
  return wholeNumber('the number of components to strip', stripComponents);
}

/** Worker threads. Rejects with `USAGE`. */
export function threadsOf({ threads }: RestoreOptions): number {
  return threads === undefined ? defaultRestoreThreads() : wholeNumber('the number of threads', threads);
}

function wholeNumber(what: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new CairnError('USAGE', `${what} cannot be ${value}`, { hint: 'Give 0 or a whole number above.' });
  }
  return value;
}
