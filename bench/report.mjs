// @ts-check
import { setNames, setTitles } from './data.mjs';
import { memoryLimit, operations } from './plan.mjs';
import {
  allVerdicts,
  median,
  memoryVerdict,
  speedVerdict,
  storedOperations,
  storedVerdict,
  timedOperations,
} from './verdicts.mjs';

/** @typedef {import('./measure.mjs').Measurement} Measurement */
/** @typedef {import('./results.mjs').MemoryResult} MemoryResult */
/** @typedef {import('./results.mjs').Origin} Origin */
/** @typedef {import('./results.mjs').Results} Results */
/** @typedef {import('./results.mjs').Section} Section */
/** @typedef {import('./verdicts.mjs').Verdict} Verdict */

/** Runs of a ten times larger file may differ by this much before its peak counts as larger: runs of one file do too. */
const memoryTolerance = 1.1;

const introduction = `# Results

Made by the command named with each table; \`bench/README.md\` says what is measured and how. Times are wall seconds:
median (least–most) of the rounds. *Ratio* is the fastest peer's median divided by Cairn's, so above 1 Cairn is ahead;
for stored bytes it is Cairn's divided by the smallest peer's. Memory is the highest peak of the whole process in any
round. MB are 10⁶ bytes.
`;

/**
 * The whole report.
 * @param {Results} results
 * @param {string} notes written by hand, put at the end
 * @returns {string} Markdown
 */
export function renderReport(results, notes) {
  const sections = Object.values(results.sections).sort(
    (a, b) =>
      a.origin.peers.localeCompare(b.origin.peers) ||
      a.cache.localeCompare(b.cache) ||
      setNames.indexOf(a.set) - setNames.indexOf(b.set),
  );
  return [
    introduction,
    renderSummary(sections),
    ...sections.map(renderSection),
    ...(results.memory ? [renderMemory(results.memory)] : []),
    ...(notes === '' ? [] : [`## Notes\n\n${notes.trim()}\n`]),
  ].join('\n');
}

/** @param {Section[]} sections @returns {string} */
function renderSummary(sections) {
  const verdicts = sections.flatMap((section) => allVerdicts(section).map((verdict) => ({ section, verdict })));
  const judged = verdicts.filter(({ verdict }) => verdict.reached !== undefined);
  const failures = sections.flatMap(({ set, outcome }) =>
    Object.entries(outcome.failures).map(([name, why]) => `- ${set}: ${name} failed: ${firstLine(why)}`),
  );
  const failed = failures.length === 0 ? '' : `\nFailures:\n\n${failures.join('\n')}\n`;
  if (judged.length === 0) return `Cairn has not been measured yet.\n${failed}`;
  const missed = judged.filter(({ verdict }) => !verdict.reached);
  const lines = missed.map(({ section, verdict }) => {
    const where = `${section.set} (${section.origin.peers} peers, ${section.cache})`;
    return `- ${where}: ${verdict.row} is ${ratio(verdict)}, target ${verdict.target}`;
  });
  const count = `${judged.length - missed.length} of ${judged.length} targets are reached`;
  return `${count}${missed.length === 0 ? '.' : `. Not reached:\n\n${lines.join('\n')}`}\n${failed}`;
}

/** @param {Section} section @returns {string} Markdown of one data set */
export function renderSection(section) {
  const { data, outcome, programs } = section;
  const size = `${data.files.toLocaleString('en')} files, ${megabytes(data.bytes)} MB`;
  const compared = programs.filter(({ name }) => outcome.compared.includes(name)).map(({ label }) => label);
  const failures = Object.entries(outcome.failures).map(
    ([name, why]) => `- **${name} failed**, left out from there on: ${firstLine(why)}`,
  );
  return [
    `## ${setTitles[section.set]} (${section.origin.peers} peers, ${section.cache} cache)\n`,
    `${size}${section.scale === 1 ? '' : ` (scale ${section.scale}, not full size)`}; rounds: ${section.rounds}.\n`,
    renderOrigin(section.origin),
    `- versions: ${programs.map(({ label, version }) => `${label}: ${version}`).join('; ')}`,
    `- whole restore compared with the source by \`diff -r\`, equal: ${compared.join(', ') || 'not compared'}`,
    ...failures,
    '',
    renderTimes(section),
    renderUse(section),
    renderStored(section),
  ].join('\n');
}

/** @param {Origin} origin @returns {string} */
function renderOrigin({ command, date, machine }) {
  return [`- command: \`${command}\``, `- date: ${date}`, `- machine: ${machine}`].join('\n');
}

/** @param {Section} section @returns {string} */
function renderTimes(section) {
  const rows = timedOperations(section).map((operation) => [
    operations[operation].title,
    ...section.programs.map(({ name }) => spread((section.outcome.times[operation]?.[name] ?? []).map((m) => m.wall))),
    ...judgement(speedVerdict(section, operation)),
  ]);
  return table(['Wall time, s', ...section.programs.map(({ label }) => label), 'Ratio', 'Target', 'Reached'], rows);
}

/** @param {Section} section @returns {string} */
function renderUse(section) {
  const rows = timedOperations(section).map((operation) => [
    operations[operation].title,
    ...section.programs.map(({ name }) => use(section.outcome.times[operation]?.[name] ?? [])),
    ...judgement(memoryVerdict(section, operation)).slice(1),
  ]);
  const head = ['Processor s, peak MB', ...section.programs.map(({ label }) => label), 'Memory target', 'Reached'];
  return table(head, rows);
}

/** @param {Section} section @returns {string} */
function renderStored(section) {
  const rows = storedOperations(section).map((operation) => [
    operations[operation].title,
    ...section.programs.map(({ name }) => {
      const bytes = section.outcome.stored[operation]?.[name] ?? [];
      return bytes.length === 0 ? '–' : megabytes(median(bytes));
    }),
    ...judgement(storedVerdict(section, operation)),
  ]);
  return table(['Stored after, MB', ...section.programs.map(({ label }) => label), 'Ratio', 'Target', 'Reached'], rows);
}

/** @param {MemoryResult} memory @returns {string} */
function renderMemory({ origin, bytes, rows }) {
  const lines = rows.map(({ label, operation, once, tenTimes }) => {
    const reached = tenTimes.rss < memoryLimit && tenTimes.rss <= once.rss * memoryTolerance;
    return [label, operation, megabytes(once.rss), megabytes(tenTimes.rss), reached ? 'yes' : '**no**'];
  });
  const target = `below ${megabytes(memoryLimit)} MB and at most ${memoryTolerance} times the peak of the smaller file`;
  return [
    '## Memory on a file ten times as big\n',
    `Files of ${megabytes(bytes)} MB and ${megabytes(bytes * 10)} MB, warm cache. Target: ${target}.\n`,
    renderOrigin(origin),
    '',
    table(['Program', 'Operation', 'Peak MB', 'Peak MB, ten times as big', 'Reached'], lines),
  ].join('\n');
}

/** @param {string} text @returns {string} */
function firstLine(text) {
  return (text.split('\n')[0] ?? '').trim();
}

/** @param {Verdict} verdict @returns {string[]} */
function judgement(verdict) {
  if (verdict.reached === undefined) return ['–', verdict.target, '–'];
  return [ratio(verdict), verdict.target, verdict.reached ? 'yes' : '**no**'];
}

/** @param {Verdict} verdict @returns {string} */
function ratio({ value }) {
  if (value === undefined) return '–';
  return value >= 20 ? value.toFixed(0) : value.toFixed(2);
}

/** @param {number[]} values seconds @returns {string} */
function spread(values) {
  if (values.length === 0) return '–';
  return `${seconds(median(values))} (${seconds(Math.min(...values))}–${seconds(Math.max(...values))})`;
}

/** @param {Measurement[]} runs @returns {string} */
function use(runs) {
  if (runs.length === 0) return '–';
  const processor = median(runs.map((run) => run.user + run.sys));
  return `${seconds(processor)} s, ${megabytes(Math.max(...runs.map((run) => run.rss)))} MB`;
}

/** @param {number} value @returns {string} */
function seconds(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** @param {number} bytes @returns {string} */
function megabytes(bytes) {
  const value = bytes / 1e6;
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

/** @param {string[]} head @param {string[][]} rows @returns {string} a Markdown table with aligned columns */
export function table(head, rows) {
  const widths = head.map((name, column) =>
    Math.max(3, ...[[name], ...rows.map((row) => [row[column] ?? ''])].map(([c]) => [...(c ?? '')].length)),
  );
  /** @param {string[]} cells */
  const line = (cells) =>
    `| ${cells.map((cell, at) => cell + ' '.repeat((widths[at] ?? 0) - [...cell].length)).join(' | ')} |`;
  return `${[line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')}\n`;
}
