import { fromUtf8, type ByteString } from '@cairn/core';

/** NAME_MAX of Linux (linux/limits.h), bytes. */
const MOST_BYTES = 255;
/** Digits of an id that tell archives of one name apart. */
const ID_DIGITS = 8;

/** The name of a file for a text that may not be one: slashes become underscores, and it is cut to what a name can have. */
export function fileName(text: string): ByteString {
  const name = fromUtf8(text).replaceAll(/[/\0]/g, '_').slice(0, MOST_BYTES);
  return name === '' || name === '.' || name === '..' ? `_${name}` : name;
}

/** File names for things that have names and ids; where two names are the same, the id is added to each. */
export function distinctNames<T extends { readonly id: string; readonly name: string }>(
  things: readonly T[],
): Map<ByteString, T> {
  const times = new Map<ByteString, number>();
  for (const { name } of things) times.set(fileName(name), (times.get(fileName(name)) ?? 0) + 1);
  return new Map(
    things.map((thing) => {
      const name = fileName(thing.name);
      if (times.get(name) === 1) return [name, thing];
      return [`${name.slice(0, MOST_BYTES - ID_DIGITS - 1)}~${thing.id.slice(0, ID_DIGITS)}`, thing];
    }),
  );
}
