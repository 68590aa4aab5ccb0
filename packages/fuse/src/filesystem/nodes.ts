import { Refusal } from './refusal.ts';

/**
 * Numbers of nodes say where a node is: the number of its directory, and which entry of it. So nothing needs to be kept for a
 * file that the kernel knows, however many it knows. 2^28 directories of 2^25 entries fit a number of JavaScript.
 */
const SLOTS = 2 ** 25;
const MOST_DIRECTORIES = 2 ** 28;

/** Directory numbers that mean something else. */
export const ROOT_DIRECTORY = 0;
export const HARD_LINKS = 1;
export const LATEST_LINKS = 2;
export const FIRST_FREE = 3;

/** The node of a directory itself. The root's is 1, as the kernel demands. */
export function directoryNode(directory: number): number {
  if (directory >= MOST_DIRECTORIES) throw new Refusal('EOVERFLOW');
  return directory * SLOTS + 1;
}

/** The node of entry `ordinal` of a directory, when it is no directory. */
export function entryNode(directory: number, ordinal: number): number {
  if (ordinal >= SLOTS - 2) throw new Refusal('EOVERFLOW');
  return directoryNode(directory) + 1 + ordinal;
}

/** What a node's number says; `ordinal` is undefined for the directory itself. */
export function placeOfNode(node: number): { readonly directory: number; readonly ordinal: number | undefined } {
  const directory = Math.floor((node - 1) / SLOTS);
  const slot = node - 1 - directory * SLOTS;
  return { directory, ordinal: slot === 0 ? undefined : slot - 1 };
}
