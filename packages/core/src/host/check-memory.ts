import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CairnError, systemErrorCode } from '../errors.ts';
import { CHECK_MEMORY } from '../limits.ts';
import type { CheckMemory } from '../ports/check-memory.ts';

/** Layout of the file: "CRNV", then `name:32 ‖ milliseconds:u48` for each pack, then SHA-256 of all that. Little-endian. */
const MAGIC = Buffer.from('CRNV', 'latin1');
const RECORD_BYTES = 38;
const HASH_BYTES = 32;

/** A memory of files below `directory`, readable only by this user: `REPOSITORY/verified-packs`. */
export function directoryCheckMemory(directory: string): CheckMemory {
  const folderOf = (repository: string): string => join(directory, repository);
  const fileOf = (repository: string): string => join(folderOf(repository), 'verified-packs');
  return {
    async read(repository) {
      try {
        return decode(await readFile(fileOf(repository)));
      } catch (cause) {
        if (systemErrorCode(cause) === 'ENOENT') return new Map();
        throw failed('read', fileOf(repository), cause);
      }
    },
    async write(repository, verifiedMs) {
      const file = fileOf(repository);
      const fresh = `${file}.${randomBytes(6).toString('hex')}`;
      try {
        await mkdir(folderOf(repository), { recursive: true, mode: 0o700 });
        await writeFile(fresh, encode(verifiedMs), { mode: 0o600, flag: 'wx' });
        await rename(fresh, file);
      } catch (cause) {
        // What failed first tells more than that the temporary file may stay behind.
        await Promise.allSettled([unlink(fresh)]);
        throw failed('write', file, cause);
      }
    },
  };
}

/** Beyond the limit those that were verified last are kept: what is not remembered comes first the next time. */
function encode(verifiedMs: ReadonlyMap<string, number>): Buffer {
  const newest = [...verifiedMs].toSorted(([, a], [, b]) => b - a).slice(0, CHECK_MEMORY.packs);
  const bytes = Buffer.alloc(MAGIC.length + RECORD_BYTES * newest.length);
  MAGIC.copy(bytes);
  newest.forEach(([name, ms], i) => {
    const at = MAGIC.length + RECORD_BYTES * i;
    bytes.write(name, at, 'hex');
    bytes.writeUIntLE(Math.max(0, Math.floor(ms)), at + 32, 6);
  });
  return Buffer.concat([bytes, createHash('sha256').update(bytes).digest()]);
}

/** Nothing when the file is not whole: it is disposable. */
function decode(file: Buffer): Map<string, number> {
  const verified = new Map<string, number>();
  const bytes = file.subarray(0, Math.max(0, file.length - HASH_BYTES));
  const whole =
    bytes.subarray(0, MAGIC.length).equals(MAGIC) &&
    (bytes.length - MAGIC.length) % RECORD_BYTES === 0 &&
    createHash('sha256').update(bytes).digest().equals(file.subarray(bytes.length));
  if (!whole) return verified;
  for (let at = MAGIC.length; at < bytes.length; at += RECORD_BYTES) {
    verified.set(bytes.toString('hex', at, at + 32), bytes.readUIntLE(at + 32, 6));
  }
  return verified;
}

function failed(what: 'read' | 'write', file: string, cause: unknown): CairnError {
  return new CairnError('TARGET_FAILED', `cannot ${what} ${file}: ${systemErrorCode(cause) ?? String(cause)}`, {
    hint: 'The check itself is not affected, but the next one may read the same packs again. Check permissions and free space.',
    cause,
  });
}
