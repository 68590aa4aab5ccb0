// @ts-check
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { renderReport } from './report.mjs';

/** @typedef {import('./rounds.mjs').Outcome} Outcome */
/** @typedef {import('./measure.mjs').Measurement} Measurement */
/** How and on what results were taken.
 * @typedef {{ command: string, date: string, machine: string, peers: string }} Origin */
/** @typedef {{ name: string, label: string, version: string, peer: boolean }} ProgramInfo */
/** @typedef {object} Section one data set's results
 * @property {Origin} origin
 * @property {import('./data.mjs').SetName} set
 * @property {'cold' | 'warm'} cache
 * @property {number} scale
 * @property {number} rounds
 * @property {{ files: number, bytes: number }} data
 * @property {ProgramInfo[]} programs
 * @property {Outcome} outcome */
/** @typedef {object} MemoryResult
 * @property {Origin} origin
 * @property {number} bytes size of the smaller file
 * @property {{ label: string, operation: string, once: Measurement, tenTimes: Measurement }[]} rows */
/** @typedef {{ sections: Record<string, Section>, memory?: MemoryResult }} Results */

/**
 * Adds to the results kept in a directory and writes its report again. Older results of other data sets stay.
 * @param {string} directory
 * @param {(results: Results) => void} add
 */
export function updateResults(directory, add) {
  mkdirSync(directory, { recursive: true });
  const file = path.join(directory, 'results.json');
  /** @type {Results} */
  const results = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { sections: {} };
  add(results);
  writeFileSync(`${file}.new`, `${JSON.stringify(results, undefined, 1)}\n`);
  renameSync(`${file}.new`, file);
  const notes = path.join(directory, 'notes.md');
  const report = renderReport(results, existsSync(notes) ? readFileSync(notes, 'utf8') : '');
  writeFileSync(path.join(directory, 'RESULTS.md'), report);
}

/** @param {Section} section @returns {string} results under the same key replace each other */
export function sectionKey(section) {
  return [section.set, section.origin.peers, section.cache].join(' ');
}
