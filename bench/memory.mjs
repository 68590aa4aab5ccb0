// @ts-check
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { largeBytes, makeLarge } from './data-files.mjs';
import { Workplace } from './workplace.mjs';

/** @typedef {import('./measure.mjs').Measurement} Measurement */
/** @typedef {import('./plan.mjs').Operation} Operation */
/** @typedef {import('./results.mjs').MemoryResult} MemoryResult */
/** @typedef {import('./tools.mjs').Program} Program */

/** @type {Operation[]} */
const measured = ['first', 'unchanged', 'restore', 'check-data'];
const marker = 'marker.txt';

/**
 * Peak memory on the large file and on one ten times as big. Needs room for about three times the larger file; what it
 * makes is removed again.
 * @param {Program[]} programs
 * @param {number} scale 1 is 1 GiB and 10 GiB
 * @param {string} work an existing directory
 * @returns {{ bytes: number, rows: MemoryResult['rows'] }}
 */
export function runMemory(programs, scale, work) {
  const bytes = Math.round(largeBytes * scale);
  const once = measureSize(programs, bytes, path.join(work, 'memory-1'));
  const tenTimes = measureSize(programs, bytes * 10, path.join(work, 'memory-10'));
  const rows = once.map((one, index) => {
    const ten = tenTimes[index];
    if (ten === undefined) throw new Error('both sizes have the same rows');
    return { label: one.label, operation: one.operation, once: one.measurement, tenTimes: ten.measurement };
  });
  return { bytes, rows };
}

/**
 * @param {Program[]} programs
 * @param {number} bytes
 * @param {string} directory
 */
function measureSize(programs, bytes, directory) {
  rmSync(directory, { recursive: true, force: true });
  const source = path.join(directory, 'source');
  mkdirSync(source, { recursive: true });
  try {
    console.error(`bench: making a file of ${bytes} bytes`);
    makeLarge(source, bytes);
    writeFileSync(path.join(source, marker), 'restored with the large file\n');
    return programs.flatMap((program) => {
      const place = new Workplace(program, path.join(directory, program.name), source, marker);
      const rows = measured.map((operation) => {
        const measurement = place.perform(operation);
        place.clearTarget();
        console.error(`${bytes} bytes, ${operation}, ${program.label}: ${Math.round(measurement.rss / 1e6)} MB`);
        return { label: program.label, operation, measurement };
      });
      place.remove();
      return rows;
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
