// @ts-check
import { memoryLimit, operationNames, operations, storedLimit, targetRatio } from './plan.mjs';

/** @typedef {import('./plan.mjs').Operation} Operation */
/** @typedef {import('./results.mjs').Section} Section */
/** Whether Cairn reached the target of one row. `value` is undefined when Cairn or every peer is missing.
 * @typedef {{ row: string, value: number | undefined, target: string, reached: boolean | undefined }} Verdict */

/** @param {number[]} values at least one @returns {number} */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  if (upper === undefined || lower === undefined) throw new Error('no values to take the median of');
  return (lower + upper) / 2;
}

/**
 * Cairn's median and the best (smallest) median among the peers.
 * @param {Section} section
 * @param {Record<string, number[]>} values by program
 * @returns {{ cairn: number | undefined, peer: number | undefined }}
 */
function compare(section, values) {
  /** @param {boolean} peer */
  const medians = (peer) =>
    section.programs
      .filter((program) => program.peer === peer)
      .map((program) => values[program.name] ?? [])
      // A program that failed in a later round has fewer values, which are not compared.
      .filter((list) => list.length === section.rounds)
      .map(median);
  const peers = medians(true);
  return { cairn: medians(false)[0], peer: peers.length > 0 ? Math.min(...peers) : undefined };
}

/** @param {Section} section @param {Operation} operation @returns {Verdict} fastest peer's time by Cairn's */
export function speedVerdict(section, operation) {
  const runs = section.outcome.times[operation] ?? {};
  const walls = Object.fromEntries(Object.entries(runs).map(([name, list]) => [name, list.map((one) => one.wall)]));
  const { cairn, peer } = compare(section, walls);
  const ratio = targetRatio(section.set, operation);
  const value = cairn === undefined || peer === undefined ? undefined : peer / cairn;
  const merelyAhead = ratio === 1;
  return {
    row: operations[operation].title,
    value,
    target: merelyAhead ? '> 1' : `≥ ${ratio}`,
    reached: value === undefined ? undefined : merelyAhead ? value > 1 : value >= ratio,
  };
}

/** @param {Section} section @param {Operation} operation @returns {Verdict} Cairn's bytes by the smallest peer's */
export function storedVerdict(section, operation) {
  const { cairn, peer } = compare(section, section.outcome.stored[operation] ?? {});
  const value = cairn === undefined || peer === undefined ? undefined : cairn / peer;
  return {
    row: `stored after the ${operations[operation].title}`,
    value,
    target: `≤ ${storedLimit}`,
    reached: value === undefined ? undefined : value <= storedLimit,
  };
}

/** @param {Section} section @param {Operation} operation @returns {Verdict} Cairn's highest peak, in MB */
export function memoryVerdict(section, operation) {
  const runs = section.outcome.times[operation] ?? {};
  const peaks = section.programs
    .filter((program) => !program.peer)
    .flatMap((program) => (runs[program.name] ?? []).map((one) => one.rss));
  const peak = peaks.length > 0 ? Math.max(...peaks) : undefined;
  return {
    row: `memory of ${operations[operation].title}`,
    value: peak === undefined ? undefined : peak / 1e6,
    target: `< ${memoryLimit / 1e6}`,
    reached: peak === undefined ? undefined : peak < memoryLimit,
  };
}

/** @param {Section} section @returns {Operation[]} the rows it has */
export function timedOperations(section) {
  return operationNames.filter((name) => section.outcome.times[name] !== undefined);
}

/** @param {Section} section @returns {Operation[]} */
export function storedOperations(section) {
  return operationNames.filter((name) => section.outcome.stored[name] !== undefined);
}

/** @param {Section} section @returns {Verdict[]} every row's */
export function allVerdicts(section) {
  const timed = timedOperations(section);
  return [
    ...timed.map((operation) => speedVerdict(section, operation)),
    ...timed.map((operation) => memoryVerdict(section, operation)),
    ...storedOperations(section).map((operation) => storedVerdict(section, operation)),
  ];
}
