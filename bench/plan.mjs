// @ts-check
/** @typedef {import('./data.mjs').SetName} SetName */
/** @typedef {'first' | 'unchanged' | 'unchanged-passphrase' | 'changed' | 'inserted' | 'restore' | 'restore-one' | 'list' | 'ls' | 'check' | 'check-data'} Operation */

/** How many times as fast as the fastest peer Cairn is to be; 1 means merely ahead of it. */
const ahead = 1;
/** Stored bytes may be this many times the smallest peer's. */
export const storedLimit = 1.03;
/** Peak memory of the whole process stays below this many bytes. */
export const memoryLimit = 256e6;

/** In the order they run; `first` always runs, since the rest needs its archive.
 * @type {Record<Operation, { title: string, backup: boolean }>} */
export const operations = {
  first: { title: 'first backup', backup: true },
  unchanged: { title: 'unchanged backup', backup: true },
  'unchanged-passphrase': { title: 'unchanged backup, unlocked by passphrase', backup: true },
  changed: { title: 'changed backup', backup: true },
  inserted: { title: 'backup with an insertion', backup: true },
  restore: { title: 'restore whole', backup: false },
  'restore-one': { title: 'restore one file', backup: false },
  list: { title: 'list archives', backup: false },
  ls: { title: 'ls of one archive', backup: false },
  check: { title: 'check', backup: false },
  'check-data': { title: 'check, reading all data', backup: false },
};

export const operationNames = /** @type {Operation[]} */ (Object.keys(operations));

/**
 * The target ratio of a row.
 * @param {SetName} set
 * @param {Operation} operation
 * @returns {number}
 */
export function targetRatio(set, operation) {
  if (operation === 'first') return { large: 1.5, tree: 1.5, small: 2, image: ahead }[set];
  if (operation === 'unchanged') return 2;
  if (operation === 'restore') return 1.3;
  return ahead;
}

/**
 * The operations that one data set has.
 * @param {SetName} set
 * @param {Operation[]} wanted
 * @param {boolean} passphraseRow
 * @returns {Operation[]}
 */
export function operationsOf(set, wanted, passphraseRow) {
  return operationNames.filter((name) => {
    if (name === 'first') return true;
    if (name === 'unchanged-passphrase') return passphraseRow;
    // The insertion is the image's second change.
    if (name === 'inserted') return set === 'image' && wanted.includes('changed');
    return wanted.includes(name);
  });
}

/**
 * Every program goes first once in as many rounds as there are programs.
 * @template T
 * @param {T[]} items
 * @param {number} round
 * @returns {T[]}
 */
export function rotate(items, round) {
  const at = round % Math.max(1, items.length);
  return [...items.slice(at), ...items.slice(0, at)];
}
