// @ts-check
/** @import { Finding, Project } from './project.mjs' */

const SOURCE = 'packages/core/src/limits.ts';
const PAGE = 'docs/reference/limits.md';
const FORMAT_PAGE = 'docs/design/format.md';
const BEGIN = '<!-- from limits.ts -->';
const END = '<!-- end -->';

/**
 * A bound; `shared` when the comment is that of its whole group, whose bounds then stand in one row.
 *
 * @typedef {{ group: string, name: string, value: number, about: string, shared: boolean }} Limit
 */

/** @param {string} expression products of numbers, KiB and MiB */
function evaluate(expression) {
  return expression.split('*').reduce((product, factor) => {
    const text = factor.trim().replaceAll('_', '');
    const value = text === 'KiB' ? 1024 : text === 'MiB' ? 1024 * 1024 : Number(text);
    if (!Number.isFinite(value)) throw new Error(`${SOURCE}: cannot read ${JSON.stringify(expression)}`);
    return product * value;
  }, 1);
}

/** @param {string} comment the inside of a doc comment */
function sentence(comment) {
  return comment.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim();
}

/** Every bound with the comment above it. @param {string} source @returns {Limit[]} */
export function readLimits(source) {
  /** @type {Limit[]} */
  const limits = [];
  let groupAbout = '';
  const constants = source.matchAll(
    /(?:\/\*\*((?:(?!\*\/)[^])*)\*\/\n)?export const ([A-Z_0-9]+) = (?:\{([^}]*)\} as const|([^{;]+));/g,
  );
  for (const [, constantComment, group = '', body, single] of constants) {
    // A group without a comment of its own follows one that speaks for both.
    groupAbout = constantComment === undefined ? groupAbout : sentence(constantComment);
    if (single !== undefined) {
      limits.push({ group, name: '', value: evaluate(single), about: groupAbout, shared: false });
      continue;
    }
    for (const [, comment, name = '', expression = ''] of (body ?? '').matchAll(
      /(?:\/\*\*((?:(?!\*\/)[^])*)\*\/\s*)?\b(\w+): ([^,]+?)(?:,|\s*$)/g,
    )) {
      const about = comment === undefined ? groupAbout : sentence(comment);
      limits.push({ group, name, value: evaluate(expression), about, shared: comment === undefined });
    }
  }
  return limits;
}

/** @param {number} value */
function counted(value) {
  return value.toLocaleString('en-US');
}

/** @param {number} bytes */
export function bytesText(bytes) {
  const KiB = 1024;
  for (const [unit, size] of /** @type {const} */ ([
    ['GiB', KiB ** 3],
    ['MiB', KiB ** 2],
    ['KiB', KiB],
  ])) {
    if (bytes >= size && bytes % size === 0) return `${counted(bytes / size)} ${unit}`;
  }
  return `${counted(bytes)} bytes`;
}

/** @param {number} ms */
export function durationText(ms) {
  for (const [unit, size] of /** @type {const} */ ([
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ])) {
    if (ms >= size && ms % size === 0) return `${counted(ms / size)} ${unit}`;
  }
  return `${counted(ms)} ms`;
}

/** @param {Limit} limit */
function valueText({ name, value, about }) {
  if (name.endsWith('KiB')) return bytesText(value * 1024);
  if (name.endsWith('Ms') || /^Milliseconds that\b/.test(about)) return durationText(value);
  return /^(?:Bytes|Chunker parameters, bytes)\b/.test(about) ? bytesText(value) : counted(value);
}

/** What a bound goes by in the table. @param {Limit} limit */
function rowName({ group, name, shared }) {
  if (group === 'LIMITS') return name;
  return shared || name === '' ? group : `${group}.${name}`;
}

/** The rows of the page's table: one for each bound, one for each group with a comment for all. @param {readonly Limit[]} limits */
function rowsOf(limits) {
  /** @type {Map<string, string[]>} */
  const rows = new Map();
  for (const limit of limits) {
    const name = rowName(limit);
    const value =
      name === limit.group ? `${limit.name.replace(/KiB$/, '')} ${valueText(limit)}`.trim() : valueText(limit);
    const before = rows.get(name)?.[1];
    rows.set(name, [
      `\`${name}\``,
      before === undefined ? value : `${before}, ${value}`,
      limit.about.replaceAll('|', '\\|'),
    ]);
  }
  return [...rows.values()];
}

/** @param {string} page @returns {{ before: string, table: string, after: string } | undefined} */
function splitPage(page) {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) return undefined;
  return {
    before: page.slice(0, begin + BEGIN.length),
    table: page.slice(begin + BEGIN.length, end),
    after: page.slice(end),
  };
}

/** @param {string} markdown @returns {string[][]} body rows of the tables in it */
export function tableRows(markdown) {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[\s:|-]+\|$/.test(line))
    .map((line) =>
      line
        .trim()
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}

/** The page with its table made anew. @param {Project} project @returns {{ file: string, text: string }} */
export function writeLimitsPage(project) {
  const parts = splitPage(project.files.get(PAGE) ?? '');
  if (parts === undefined) throw new Error(`${PAGE} needs the marks ${BEGIN} and ${END}`);
  const rows = [
    ['name', 'bound', 'what, and why'],
    ['-', '-', '-'],
    ...rowsOf(readLimits(project.files.get(SOURCE) ?? '')),
  ];
  const table = rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
  return { file: PAGE, text: `${parts.before}\n\n${table}\n\n${parts.after}` };
}

/** @param {Project} project @returns {Finding[]} */
export function limitsPageIsCurrent(project) {
  const parts = splitPage(project.files.get(PAGE) ?? '');
  if (parts === undefined) return [{ file: PAGE, line: 1, message: `has no table between ${BEGIN} and ${END}` }];
  const wanted = rowsOf(readLimits(project.files.get(SOURCE) ?? ''));
  const shown = tableRows(parts.table).slice(1);
  if (wanted.length > 0 && JSON.stringify(wanted) === JSON.stringify(shown)) return [];
  const different = wanted.find((row, index) => JSON.stringify(row) !== JSON.stringify(shown[index]));
  const message = `differs from ${SOURCE} at ${different?.[0] ?? 'its end'}; run node scripts/tidy.mjs --write`;
  return [{ file: PAGE, line: 1, message }];
}

/** Rows of format.md, section Limits, and the bounds that each shows, in order; words may follow a value there. */
const FORMAT_ROWS = /** @type {Readonly<Record<string, readonly string[]>>} */ ({
  'plaintext of a chunk; a sealed chunk': ['chunkBytes', 'sealOverheadBytes'],
  'pack object; chunks; sessions in it': ['packBytes', 'packChunks', 'packSessions'],
  'plaintext of an index segment; the object': ['indexBytes'],
  'log entry; config; key slot or key file': ['logEntryBytes', 'configBytes', 'keyFileBytes'],
  'tree entry; name; symlink target': ['treeEntryBytes', 'nameBytes', 'linkTargetBytes'],
  'one xattr value; all xattrs of an entry': ['xattrValueBytes', 'xattrTotalBytes'],
  'holes of a file; levels of directories; levels of chunk lists': ['holes', 'treeDepth', 'chunkListLevels'],
  'MessagePack nesting; items in a value': ['msgpackDepth', 'msgpackItems'],
});

/** @param {Project} project @returns {Finding[]} */
export function formatPageShowsLimits(project) {
  const page = project.files.get(FORMAT_PAGE) ?? '';
  const section = /\n## \d+\. Limits\n([^]*?)(?=\n## )/.exec(page);
  if (section === null) return [{ file: FORMAT_PAGE, line: 1, message: 'has no section Limits' }];
  const limits = readLimits(project.files.get(SOURCE) ?? '').filter((limit) => limit.group === 'LIMITS');
  const rows = new Map(tableRows(section[1] ?? '').map(([name = '', value = '']) => [name, value]));
  const line = page.slice(0, section.index).split('\n').length + 1;
  /** @type {Finding[]} */
  const findings = [];
  for (const [name, keys] of Object.entries(FORMAT_ROWS)) {
    const shown = rows.get(name);
    const parts = shown?.split('; ') ?? [];
    for (const [index, key] of keys.entries()) {
      const limit = limits.find((each) => each.name === key);
      const wanted = limit === undefined ? 'no such bound' : valueText(limit);
      if (parts[index] === wanted || parts[index]?.startsWith(`${wanted} `)) continue;
      const message = `${name}: ${parts[index] ?? 'no such row'}, but ${key} in limits.ts is ${wanted}`;
      findings.push({ file: FORMAT_PAGE, line, message });
    }
  }
  return findings;
}
