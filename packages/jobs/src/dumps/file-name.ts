import { CairnError, displayName, fromUtf8 } from '@cairn/core';

/** Bytes of a name that a file can have, less those of an ending: Linux NAME_MAX (linux/limits.h). */
const NAME_BYTES = 240;

/**
 * The name of a database as one of a file: what cannot stand there, and `%`, as `%` and two hexadecimal digits. Two databases
 * never share one. Rejects with `LIMIT_EXCEEDED` when it is too long.
 */
export function fileNameOf(database: string): string {
  let name = '';
  for (const [at, character] of [...database].entries()) {
    const code = character.codePointAt(0) ?? 0;
    const odd =
      code < 0x20 || code === 0x7f || character === '/' || character === '%' || (character === '.' && at === 0);
    name += odd ? `%${code.toString(16).toUpperCase().padStart(2, '0')}` : character;
  }
  if (Buffer.byteLength(name) > NAME_BYTES) {
    throw new CairnError(
      'LIMIT_EXCEEDED',
      `no file can have the name of the database ${displayName(fromUtf8(database))}`,
      {
        hint: 'Leave it out by `exclude-databases`, or dump it by a `command`.',
      },
    );
  }
  return name;
}
