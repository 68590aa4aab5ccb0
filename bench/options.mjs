// @ts-check
import { parseArgs } from 'node:util';
import { setNames } from './data.mjs';
import { operationNames } from './plan.mjs';

/** @typedef {import('./data.mjs').SetName} SetName */
/** @typedef {import('./plan.mjs').Operation} Operation */
/** @typedef {object} Options
 * @property {SetName[]} only
 * @property {Operation[]} ops
 * @property {string[] | undefined} programs names of programs; all when undefined
 * @property {number} runs
 * @property {number} scale
 * @property {boolean} warm
 * @property {boolean} passphraseRow
 * @property {boolean} checkRestore
 * @property {boolean} memory
 * @property {string | undefined} out
 * @property {boolean} complete full size, every operation and program, at least 3 rounds: fit for the kept report */

export const usage = `bash bench/run.sh [options]
  --quick              a tenth of the size, one round
  --only SETS          ${setNames.join(',')}
  --ops OPERATIONS     ${operationNames.filter((name) => name !== 'inserted').join(',')}
  --programs NAMES     borg,borg-zstd3,restic,cairn
  --runs N             rounds (3); medians are taken over them
  --scale X            size of the data, 1 is full (1)
  --warm               do not drop the page cache before each run
  --passphrase-row     one more row, where Cairn opens with a passphrase slot as the peers do
  --check-restore      compare each program's first whole restore with the source by diff -r
  --memory             only this: peak memory on the large file and on one ten times as big
  --out DIRECTORY      where RESULTS.md and results.json go`;

/** A mistake in the command line or the environment. */
export class UsageError extends Error {}

/** @param {string[]} argv @returns {Options} */
export function readOptions(argv) {
  const { values } = parse(argv);
  const quick = values.quick === true;
  const scale = positive('--scale', values.scale ?? (quick ? '0.1' : '1'));
  const runs = positive('--runs', values.runs ?? (quick ? '1' : '3'));
  if (!Number.isInteger(runs)) throw new UsageError('--runs takes a whole number');
  const ops = listed('--ops', values.ops, operationNames);
  const programs = values.programs?.split(',');
  return {
    only: listed('--only', values.only, setNames),
    ops,
    programs,
    runs,
    scale,
    warm: values.warm === true,
    passphraseRow:
      values['passphrase-row'] === true || (values.ops !== undefined && ops.includes('unchanged-passphrase')),
    checkRestore: values['check-restore'] === true,
    memory: values.memory === true,
    out: values.out,
    complete: scale === 1 && runs >= 3 && values.ops === undefined && programs === undefined,
  };
}

/** @param {string[]} argv */
function parse(argv) {
  try {
    return parseArgs({
      args: argv,
      options: {
        quick: { type: 'boolean' },
        only: { type: 'string' },
        ops: { type: 'string' },
        programs: { type: 'string' },
        runs: { type: 'string' },
        scale: { type: 'string' },
        warm: { type: 'boolean' },
        'passphrase-row': { type: 'boolean' },
        'check-restore': { type: 'boolean' },
        memory: { type: 'boolean' },
        out: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** @param {string} option @param {string} text @returns {number} */
function positive(option, text) {
  const value = Number(text);
  if (!(Number.isFinite(value) && value > 0)) throw new UsageError(`${option} takes a number above 0, not ${text}`);
  return value;
}

/**
 * @template {string} T
 * @param {string} option
 * @param {string | undefined} text
 * @param {T[]} known
 * @returns {T[]} in the order of `known`; all of them when the option is absent
 */
function listed(option, text, known) {
  if (text === undefined) return [...known];
  const given = text.split(',');
  const unknown = given.find((name) => !known.some((one) => one === name));
  if (unknown !== undefined) throw new UsageError(`${option} does not know ${unknown}; it knows ${known.join(', ')}`);
  return known.filter((name) => given.includes(name));
}
