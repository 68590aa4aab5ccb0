import { label } from '../crypto/labels.ts';
import type { RepositoryAccess } from '../repository/access.ts';

/**
 * The id that the copy of an archive has in a repository: the same whoever copies it and however often, so that it is copied
 * once. Of no use to anybody without a key of the target.
 * @param repository uid of the repository that it is copied from. @param archive its id there, 32 hex digits.
 */
export function copiedArchiveId(target: RepositoryAccess, repository: Uint8Array, archive: string): Uint8Array {
  const log = target.secret('log', 'copy archives');
  const info = Buffer.concat([label('copied archive'), Buffer.from(archive, 'hex')]);
  return target.suite.hkdf(log, repository, info, 16);
}
