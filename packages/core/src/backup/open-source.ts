import { constants } from 'node:fs';

import { systemErrorCode } from '../errors.ts';
import { openAt } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { isSuperuser } from '../host/effective-user.ts';

/** Never through a link, and never waiting: for a writer of a FIFO, or for a device. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Only root and a file's owner may leave its access time alone (open(2)). */
const NO_ATIME = isSuperuser() ? constants.O_NOATIME : 0;

/** Opens an entry of the source for reading. Throws a system error. */
export function openSource(directoryFd: number, name: ByteString, flags = 0): number {
  if (NO_ATIME !== 0) {
    try {
      return openAt(directoryFd, name, READ_FLAGS | NO_ATIME | flags);
    } catch (error) {
      // Root without CAP_FOWNER, or a file whose owner the user namespace does not know.
      if (systemErrorCode(error) !== 'EPERM') throw error;
    }
  }
  return openAt(directoryFd, name, READ_FLAGS | flags);
}
