// @ts-check
import { median } from './verdicts.mjs';
import { table } from './report.mjs';

/** @typedef {{ row: string, target: number, times: Record<string, number[]> }} MountRow times in milliseconds */
/** @typedef {{ command: string, date: string, machine: string, versions: readonly string[], data: string, archives: number, rounds: number }} MountOrigin */

/** What a mount of Cairn may take, MiB, and how long the first look may take, milliseconds. */
const MOST_MEMORY_MIB = 200;
const FIRST_LOOK_MS = 500;
/** The row that has this bound. */
export const FIRST_LOOK = 'first ls';

/** Titles of the sections that runs write. */
export const LOCAL = 'On this machine';
export const OVER_SSH = 'Over ssh';

const HEAD = `# Reading through a mount

Each section was made by the command named in it; \`bench/README.md\` says what is measured. Times are wall milliseconds: median (least–most) of the
rounds, each on a mount of its own with a dropped page cache. _Ratio_ is the faster peer divided by Cairn: above 1 Cairn is ahead.
`;

/**
 * The page with one section anew, in its place or after the head; all that somebody wrote in others stays.
 * @param {string} page as it is; empty when there is none @param {string} title @param {string} section its content
 */
export function pageWith(page, title, section) {
  const [, ...others] = page.split(/^## /m);
  const text = `${title}\n\n${section.trim()}\n\n`;
  const at = others.findIndex((other) => other.startsWith(`${title}\n`));
  const rest = at === -1 ? [...others] : others.toSpliced(at, 1, text);
  if (at === -1) rest.splice(title === LOCAL ? 0 : Number(rest[0]?.startsWith(`${LOCAL}\n`) ?? 0), 0, text);
  return `${[HEAD, '\n', ...rest.map((other) => `## ${other}`)].join('').trimEnd()}\n`;
}

/**
 * The section of one run as Markdown.
 * @param {MountOrigin} origin
 * @param {readonly MountRow[]} rows
 * @param {Record<string, number>} memory peak of each program over all rows, MiB
 */
export function renderMounts(origin, rows, memory) {
  const names = Object.keys(memory);
  const lines = rows.map(({ row, target, times }) => {
    const ours = median(times['cairn'] ?? []);
    const peers = names.filter((name) => name !== 'cairn').map((name) => median(times[name] ?? []));
    const ratio = Math.min(...peers) / ours;
    const isFirstLook = row === FIRST_LOOK;
    const reached = ratio >= target && (!isFirstLook || ours < FIRST_LOOK_MS);
    const bound = isFirstLook ? `, and < ${FIRST_LOOK_MS} ms` : '';
    const shown = target === 1 ? `first${bound}` : `≥ ${target}`;
    return [
      row,
      ...names.map((name) => spread(times[name] ?? [])),
      ratio.toFixed(2),
      shown,
      reached ? 'yes' : '**no**',
    ];
  });
  const peak = memory['cairn'] ?? Number.NaN;
  const memoryLine = [
    'peak memory of the mount, MiB',
    ...names.map((name) => String(memory[name] ?? '–')),
    '–',
    `< ${MOST_MEMORY_MIB}`,
    peak < MOST_MEMORY_MIB ? 'yes' : '**no**',
  ];
  return [
    `- command: \`${origin.command}\``,
    `- date: ${origin.date}`,
    `- machine: ${origin.machine}`,
    `- versions: ${origin.versions.join('; ')}`,
    `- data: ${origin.data}; ${origin.archives} archives of it; rounds: ${origin.rounds}\n`,
    table(['Wall time, ms', ...names, 'Ratio', 'Target', 'Reached'], [...lines, memoryLine]),
  ].join('\n');
}

/** @param {readonly number[]} values */
function spread(values) {
  const whole = values.map((value) => Math.round(value));
  return values.length === 0 ? '–' : `${median(whole)} (${Math.min(...whole)}–${Math.max(...whole)})`;
}
