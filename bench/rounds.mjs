// @ts-check
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { changeSome, insertNearStart, prepareChanges, undoChanges } from './changes.mjs';
import { settle, touchMarker } from './data.mjs';
import { dropCaches, Interrupted } from './measure.mjs';
import { operations, operationsOf, rotate } from './plan.mjs';
import { SeededStream } from './seed.mjs';
import { Workplace } from './workplace.mjs';

/** @typedef {import('./data.mjs').DataSet} DataSet */
/** @typedef {import('./measure.mjs').Measurement} Measurement */
/** @typedef {import('./options.mjs').Options} Options */
/** @typedef {import('./plan.mjs').Operation} Operation */
/** @typedef {import('./tools.mjs').Program} Program */
/** What one data set's rounds gave, by operation, then by program, one value per round.
 * @typedef {object} Outcome
 * @property {Partial<Record<Operation, Record<string, Measurement[]>>>} times
 * @property {Partial<Record<Operation, Record<string, number[]>>>} stored bytes after each backup of changed data
 * @property {Record<string, string>} failures why a program was left out from there on, by program
 * @property {string[]} compared programs whose restored tree was the same as the source */

/** Backups after which the repository's size is a row. */
const storedAfter = ['first', 'changed', 'inserted'];

/**
 * Runs every operation of a data set with every program, in rounds in which the programs alternate.
 * @param {DataSet} set
 * @param {Program[]} programs
 * @param {Options} options
 * @param {string} work a directory for repositories, emptied of them afterwards
 * @returns {Promise<Outcome>}
 */
export async function runSet(set, programs, options, work) {
  /** @type {Outcome} */
  const outcome = { times: {}, stored: {}, failures: {}, compared: [] };
  const warmUps = options.warm ? undefined : makeWarmUps(programs, path.join(work, 'warm-up'));
  for (let round = 0; round < options.runs; round += 1) {
    undoChanges(set);
    await touchMarker(set);
    await settle(set);
    /** @type {Map<string, Workplace>} */
    const places = new Map();
    for (const operation of operationsOf(set.name, options.ops, options.passphraseRow)) {
      await change(set, operation);
      for (const program of rotate(programs, round)) {
        if (program.name in outcome.failures) continue;
        try {
          const base = path.join(work, program.name);
          const place = places.get(program.name) ?? new Workplace(program, base, set.live, set.oneFile);
          places.set(program.name, place);
          if (warmUps) goCold(warmUps, program, operation);
          const measurement = place.perform(operation);
          record(outcome.times, operation, program.name, measurement);
          console.error(line(set, round, operation, program, measurement));
          if (storedAfter.includes(operation)) record(outcome.stored, operation, program.name, place.stored());
          if (operation === 'restore' && options.checkRestore && round === 0) {
            place.assertSameTree();
            outcome.compared.push(program.name);
          }
          place.clearTarget();
        } catch (error) {
          if (error instanceof Interrupted) throw error;
          // What a failed or wrong run took is no result, nor are its earlier rounds comparable.
          delete outcome.times[operation]?.[program.name];
          outcome.failures[program.name] = `${operation}: ${error instanceof Error ? error.message : String(error)}`;
          console.error(`bench: ${program.label} is left out of ${set.name}: ${outcome.failures[program.name]}`);
        }
      }
    }
    for (const place of places.values()) place.remove();
  }
  undoChanges(set);
  rmSync(path.join(work, 'warm-up'), { recursive: true, force: true });
  return outcome;
}

/** @param {DataSet} set @param {Operation} operation */
async function change(set, operation) {
  if (operation === 'changed') {
    prepareChanges(set);
    changeSome(set);
  } else if (operation === 'inserted') insertNearStart(set);
  else return;
  await touchMarker(set);
  await settle(set);
}

/**
 * A tiny repository for each program, see `goCold`.
 * @param {Program[]} programs
 * @param {string} directory
 * @returns {Map<string, Workplace>}
 */
function makeWarmUps(programs, directory) {
  rmSync(directory, { recursive: true, force: true });
  const source = path.join(directory, 'source');
  mkdirSync(source, { recursive: true });
  const random = new SeededStream('warm-up');
  for (let index = 0; index < 20; index += 1) writeFileSync(path.join(source, `file-${index}`), random.bytes(100_000));
  return new Map(
    programs.map((program) => {
      const place = new Workplace(program, path.join(directory, program.name), source, 'file-0');
      place.perform('first');
      return [program.name, place];
    }),
  );
}

/**
 * Drops the page cache, then runs the same operation on a tiny repository: the data and the repository are read from the
 * disk, the program itself is in memory for every program alike. (Node and Python are held there by the benchmark itself.)
 * @param {Map<string, Workplace>} warmUps
 * @param {Program} program
 * @param {Operation} operation
 */
function goCold(warmUps, program, operation) {
  dropCaches();
  const place = warmUps.get(program.name);
  if (place === undefined) throw new Error(`no warm-up repository for ${program.name}`);
  place.perform(operations[operation].backup ? 'changed' : operation);
  place.clearTarget();
}

/**
 * @template T
 * @param {Partial<Record<Operation, Record<string, T[]>>>} table
 * @param {Operation} operation
 * @param {string} program
 * @param {T} value
 */
function record(table, operation, program, value) {
  const row = (table[operation] ??= {});
  (row[program] ??= []).push(value);
}

/** @param {DataSet} set @param {number} round @param {Operation} operation @param {Program} program @param {Measurement} m */
function line(set, round, operation, program, m) {
  const used = `${m.wall.toFixed(2)} s, ${(m.user + m.sys).toFixed(2)} s of processor, ${Math.round(m.rss / 1e6)} MB`;
  return `${set.name} ${round + 1} ${operation.padEnd(12)} ${program.label.padEnd(12)} ${used}`;
}
