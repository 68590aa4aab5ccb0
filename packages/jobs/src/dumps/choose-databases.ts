import { CairnError } from '@cairn/core';

interface Choice {
  readonly databases?: readonly string[] | undefined;
  readonly 'exclude-databases'?: readonly string[] | undefined;
}

/**
 * The databases of a server that a dump takes: those it names, or all but the server's own. Rejects with `SOURCE_UNREADABLE` when one
 * that is named does not exist: a dump without it would look as good.
 */
export function chooseDatabases<T extends { readonly name: string }>(
  found: readonly T[],
  choice: Choice,
  own: readonly string[],
): readonly T[] {
  const excluded = new Set(choice['exclude-databases']);
  if (choice.databases === undefined) {
    return found.filter(({ name }) => !excluded.has(name) && !own.includes(name.toLowerCase()));
  }
  const missing = choice.databases.filter((wanted) => !found.some(({ name }) => name === wanted));
  if (missing.length > 0) {
    throw new CairnError('SOURCE_UNREADABLE', `there is no database ${missing.join(', ')}`, {
      hint: 'Correct `databases` in the job, or the rights of the user that dumps.',
    });
  }
  const wanted = new Set(choice.databases.filter((name) => !excluded.has(name)));
  return found.filter(({ name }) => wanted.has(name));
}
