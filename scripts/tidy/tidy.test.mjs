// @ts-check
import { describe, expect, it } from 'vitest';
import { coreDirection, packageDirection, placeOf } from './import-rules.mjs';
import { ALLOWED } from './layers.mjs';
import {
  bytesText,
  durationText,
  formatPageShowsLimits,
  limitsPageIsCurrent,
  readLimits,
  tableRows,
  writeLimitsPage,
} from './limits-page.mjs';
import { anchorOf, dependenciesArePinned, errorsPageIsComplete, linksLead, namedFilesExist } from './page-rules.mjs';
import { Project } from './project.mjs';
import { importsOf, lineAt, blanked } from './source-text.mjs';
import { noAmbientState, noUnwantedWords, shortFiles, shortLines } from './text-rules.mjs';

/** @import { Finding } from './project.mjs' */

/** @param {Record<string, string>} files */
function project(files) {
  return new Project(new Map(Object.entries(files)));
}

/** @param {readonly Finding[]} findings */
function said(findings) {
  return findings.map(({ file, line, message }) => `${file}:${line}: ${message}`);
}

describe('blanked', () => {
  it.each([
    ['a // b\nc', 'a     \nc'],
    ['a /* b\nc */ d', 'a     \n     d'],
    ["'// no' // yes", "'     '       "],
    ['`a ${b /* c */ + `d`} e` f', '`  ${b         + ` `}  ` f'],
    ['x = /[/*"]/; y', 'x =        ; y'],
    ['x / y // z', 'x / y     '],
    ["'it\\'s' + 1", "'     ' + 1"],
  ])('%s', (text, expected) => {
    expect(blanked(text, { comments: true, literals: true })).toBe(expected);
  });

  it('keeps literals when asked, and the places of everything', () => {
    const text = "import a from './a.ts'; /* x */ const s = `$` + '\"';";
    const kept = blanked(text, { comments: true });
    expect(kept).toBe("import a from './a.ts';         const s = `$` + '\"';");
    expect(kept).toHaveLength(text.length);
  });
});

describe('importsOf', () => {
  it('sees every form, with its line', () => {
    const text = [
      "import { a } from './a.ts';",
      'import type {',
      '  B,',
      "} from './b.ts';",
      "export * from './c.ts';",
      "import './d.ts';",
      "const e = await import('./e.ts');",
      "let f: import('./f.ts').F;",
      "new Worker(new URL('./g.js', import.meta.url));",
      "// import './no.ts'",
      'const no = "import x from \'./no.ts\'";',
    ].join('\n');
    expect(importsOf(text)).toEqual([
      { target: './a.ts', line: 1 },
      { target: './b.ts', line: 4 },
      { target: './c.ts', line: 5 },
      { target: './d.ts', line: 6 },
      { target: './e.ts', line: 7 },
      { target: './f.ts', line: 8 },
      { target: './g.js', line: 9 },
    ]);
  });

  it('counts lines from 1', () => {
    expect([lineAt('a\nb', 0), lineAt('a\nb', 1), lineAt('a\nb', 2)]).toEqual([1, 1, 2]);
  });
});

describe('direction inside core', () => {
  /** @param {string} from @param {string} to */
  const judged = (from, to) => {
    const files = { [`packages/core/src/${from}`]: `import { x } from '${to}';` };
    return said(coreDirection(project(files))).filter((text) => !text.includes('not needed any more'));
  };

  it.each([
    ['pack/layout.ts', '../crypto/seal.ts'],
    ['pack/layout.ts', './padme.ts'],
    ['index/segment.ts', '../pack/layout.ts'],
    ['backup/walk.ts', '../host/at-calls.ts'],
    ['tree/lookup.ts', '../host/byte-path.ts'],
    ['backup/worker-thread.ts', '../crypto/node-suite.ts'],
    ['check/segments.ts', '../stores/contract.ts'],
    ['host/users.test.ts', '../verbs/backup.ts'],
    ['testing/hard-tree.ts', '../verbs/backup.ts'],
  ])('%s may import %s', (from, to) => {
    expect(judged(from, to)).toEqual([]);
  });

  it.each([
    ['crypto/seal.ts', '../pack/layout.ts', 'is above it'],
    ['pack/layout.ts', '../log/log.ts', 'side by side'],
    ['backup/walk.ts', '../restore/lanes.ts', 'side by side'],
    ['limits.ts', './ports/zstd.ts', 'is above it'],
    ['repository/access.ts', '../host/users.ts', 'names the adapter'],
    ['verbs/backup.ts', '../stores/directory.ts', 'names the adapter'],
    ['verbs/backup.ts', '../crypto/node-suite.ts', 'names the adapter'],
    ['verbs/backup.ts', '../testing/hard-tree.ts', 'is for tests'],
    ['brand-new/thing.ts', '../limits.ts', 'has no row'],
    ['verbs/backup.ts', '../brand-new/thing.ts', 'has no row'],
  ])('%s may not import %s', (from, to, reason) => {
    expect(judged(from, to)).toEqual([expect.stringContaining(reason)]);
  });

  it('a file that is listed by itself counts before its folder', () => {
    expect(placeOf('host/byte-path.ts')?.row).toBe(0);
    expect(placeOf('host/users.ts')?.row).toBeGreaterThan(placeOf('tree/entry.ts')?.row ?? 99);
  });

  it('finds exceptions that are not needed any more', () => {
    expect(coreDirection(project({}))).toHaveLength(ALLOWED.length);
  });
});

describe('direction between packages', () => {
  const manifests = {
    'package.json': '{"devDependencies":{"vitest":"4.1.12"}}',
    'packages/core/package.json': '{"dependencies":{"koffi":"3.3.4"}}',
    'packages/cli/package.json': '{"dependencies":{"@cairn/core":"0.1.0"}}',
  };
  const index = { 'packages/core/src/testing/index.ts': "export * from './suite.ts';" };

  it.each([
    ['packages/cli/src/a.ts', '@cairn/core'],
    ['packages/cli/src/a.test.ts', '@cairn/core/testing'],
    ['packages/cli/test/a.test.ts', '../src/main.ts'],
    ['packages/core/src/a.ts', 'koffi'],
    ['packages/core/src/a.ts', 'node:fs'],
    ['packages/core/src/a.test.ts', 'vitest'],
    ['packages/core/src/testing/own.ts', 'vitest'],
  ])('%s may import %s', (file, target) => {
    expect(said(packageDirection(project({ ...manifests, ...index, [file]: `import '${target}';` })))).toEqual([]);
  });

  it.each([
    ['packages/core/src/a.ts', '@cairn/cli', 'may not import'],
    ['packages/cli/src/a.ts', '@cairn/core/testing', 'production code'],
    ['packages/cli/src/a.ts', '../../core/src/limits.ts', 'outside src/'],
    ['packages/cli/src/a.ts', 'koffi', 'not a dependency'],
    ['packages/core/src/a.ts', 'vitest', 'not a dependency'],
    ['packages/core/src/a.ts', 'fs', 'write node:fs'],
    ['packages/core/src/testing/suite.ts', 'vitest', 'not a dependency'],
  ])('%s may not import %s', (file, target, reason) => {
    const findings = packageDirection(project({ ...manifests, ...index, [file]: `import '${target}';` }));
    expect(said(findings)).toEqual([expect.stringContaining(reason)]);
  });
});

describe('texts', () => {
  it.each([
    'const t = Date.now();',
    'new Date()',
    'const n = Math.random();',
    'process.env.HOME',
    'console.log(1)',
    'x = `${Date.now()}`',
    'randomBytes(12)',
  ])('core may not use %s', (text) => {
    expect(noAmbientState(project({ 'packages/core/src/verbs/x.ts': text }))).toHaveLength(1);
    expect(noAmbientState(project({ 'packages/core/src/host/x.ts': text }))).toEqual([]);
    expect(noAmbientState(project({ 'packages/cli/src/x.ts': text }))).toEqual([]);
  });

  it.each(['new Date(ms)', '// Date.now() is elsewhere', "'process.env'", 'subprocess.kill()'])(
    'core may use %s',
    (text) => {
      expect(noAmbientState(project({ 'packages/core/src/verbs/x.ts': text }))).toEqual([]);
    },
  );

  it('bounds lines and files', () => {
    expect(shortLines(project({ 'packages/a.ts': `${'x'.repeat(140)}\n${'x'.repeat(141)}` }))).toHaveLength(1);
    const unbroken = `const a = '${'x'.repeat(200)}';\n/** @param {${'x'.repeat(200)}} a */\n`;
    expect(shortLines(project({ 'packages/a.ts': unbroken }))).toEqual([]);
    expect(shortLines(project({ 'packages/a.ts': `// ${'x'.repeat(200)}` }))).toHaveLength(1);
    const long = (/** @type {number} */ lines) => 'x\n'.repeat(lines);
    const lengths = { 'packages/a.ts': long(300), 'packages/b.ts': long(301), 'packages/c.test.ts': long(400) };
    const found = shortFiles(project(lengths)).filter(({ file }) => file in lengths);
    expect(found.map(({ file }) => file)).toEqual(['packages/b.ts']);
  });

  it.each([
    ['packages/core/src/x.ts', '// TODO later'],
    ['packages/core/src/x.ts', '// @ts-ignore'],
    ['packages/core/src/x.test.ts', "it.only('x', () => {})"],
    ['packages/core/src/x.ts', 'try { a(); } catch {}'],
    ['packages/core/src/x.ts', 'try { a(); } catch (error) {\n}'],
    ['packages/core/src/utils/x.ts', ''],
    ['packages/core/src/helpers.ts', ''],
  ])('%s: %s is unwanted', (file, text) => {
    expect(noUnwantedWords(project({ [file]: text }))).toHaveLength(1);
  });

  it('lets ordinary text pass', () => {
    const text = "try { a(); } catch { b(); }\nconst s = 'it.only';\n// hackney\nconst t = `catch {}`";
    expect(noUnwantedWords(project({ 'packages/core/src/x.ts': text }))).toEqual([]);
  });
});

const LIMITS_SOURCE = `const KiB = 1024;
export const LIMITS = {
  /** Bytes of a thing: why | not. */
  thingBytes: 8 * MiB,
  /** Levels of things. Two lines
   *  of comment. */
  levels: 4_096,
} as const;

/** Bytes of cuts. */
export const CUT = { min: 16 * KiB, max: 5 } as const;
export const OTHER = { min: 1 } as const;

/** Of visits. */
export const VISIT = {
  /** Milliseconds of one visit. */
  longMs: 90 * 60 * 1000,
  /** Visits. */
  most: 3,
} as const;

/** Milliseconds that all wait. */
export const WAIT_MS = 2_000;
`;

describe('pages', () => {
  it('reads limits.ts', () => {
    const why = 'Bytes of a thing: why | not.';
    expect(readLimits(LIMITS_SOURCE)).toEqual([
      { group: 'LIMITS', name: 'thingBytes', value: 8_388_608, about: why, shared: false },
      { group: 'LIMITS', name: 'levels', value: 4096, about: 'Levels of things. Two lines of comment.', shared: false },
      { group: 'CUT', name: 'min', value: 16_384, about: 'Bytes of cuts.', shared: true },
      { group: 'CUT', name: 'max', value: 5, about: 'Bytes of cuts.', shared: true },
      { group: 'OTHER', name: 'min', value: 1, about: 'Bytes of cuts.', shared: true },
      { group: 'VISIT', name: 'longMs', value: 5_400_000, about: 'Milliseconds of one visit.', shared: false },
      { group: 'VISIT', name: 'most', value: 3, about: 'Visits.', shared: false },
      { group: 'WAIT_MS', name: '', value: 2_000, about: 'Milliseconds that all wait.', shared: false },
    ]);
    expect([1, 1000, 90_000, 5_400_000, 604_800_000].map((ms) => durationText(ms))).toEqual([
      '1 ms',
      '1 s',
      '90 s',
      '90 min',
      '7 d',
    ]);
    expect([1, 1024, 1536, 2 ** 30].map((bytes) => bytesText(bytes))).toEqual([
      '1 bytes',
      '1 KiB',
      '1,536 bytes',
      '1 GiB',
    ]);
  });

  it('makes the page of limits, and notices when it is old', () => {
    const files = {
      'packages/core/src/limits.ts': LIMITS_SOURCE,
      'docs/reference/limits.md': '<!-- from limits.ts -->\n<!-- end -->\n',
    };
    expect(limitsPageIsCurrent(project(files))).toHaveLength(1);
    const { file, text } = writeLimitsPage(project(files));
    expect(tableRows(text).slice(1)).toEqual([
      ['`thingBytes`', '8 MiB', String.raw`Bytes of a thing: why \| not.`],
      ['`levels`', '4,096', 'Levels of things. Two lines of comment.'],
      ['`CUT`', 'min 16 KiB, max 5 bytes', 'Bytes of cuts.'],
      ['`OTHER`', 'min 1 bytes', 'Bytes of cuts.'],
      ['`VISIT.longMs`', '90 min', 'Milliseconds of one visit.'],
      ['`VISIT.most`', '3', 'Visits.'],
      ['`WAIT_MS`', '2 s', 'Milliseconds that all wait.'],
    ]);
    expect(limitsPageIsCurrent(project({ ...files, [file]: text }))).toEqual([]);
    expect(limitsPageIsCurrent(project({ ...files, [file]: text.replace('8 MiB', '9 MiB') }))).toHaveLength(1);
    expect(limitsPageIsCurrent(project({ ...files, [file]: '' }))).toHaveLength(1);
  });

  it('compares the format page with limits.ts', () => {
    const found = formatPageShowsLimits(
      project({
        'packages/core/src/limits.ts': LIMITS_SOURCE,
        'docs/design/format.md': '\n## 6. Limits\n\n| a | b |\n\n## 7. X\n',
      }),
    );
    expect(found.length).toBeGreaterThan(3);
    expect(formatPageShowsLimits(project({}))).toHaveLength(1);
  });

  it('holds errors.md against the table', () => {
    const table =
      'export const ERROR_TABLE = {\n  USAGE: { exit: 2, http: 400 },\n  LOST: {\n    exit: 10,\n  },\n} as const;';
    /** @param {string} page */
    const found = (page) =>
      said(errorsPageIsComplete(project({ 'packages/core/src/errors.ts': table, 'docs/reference/errors.md': page })));
    expect(found('## USAGE\n\nExit 2\n\n## `LOST`\n\nExit 10\n')).toEqual([]);
    expect(found('## USAGE\n\nExit 2\n')).toEqual([expect.stringContaining('no heading LOST')]);
    expect(found('## USAGE\n\nExit 2\n\n## LOST\n\nExit 1\n')).toEqual([expect.stringContaining('exits with 10')]);
    expect(found('## USAGE\nExit 2\n## LOST\n10\n## GONE\n')).toEqual([expect.stringContaining('GONE is no code')]);
    expect(errorsPageIsComplete(project({}))).toHaveLength(1);
  });

  it('follows links', () => {
    const files = {
      'README.md': '[a](docs/a.md#two-words) [b](https://example.org) `[no](x.md)`\n\n```\n[no](y.md)\n```\n',
      'docs/a.md': '# A\n\n## Two `words`!\n\n[up](../README.md)\n',
    };
    expect(linksLead(project(files))).toEqual([]);
    expect(said(linksLead(project({ 'README.md': '\n[a](b.md)' })))).toEqual([
      'README.md:2: links to b.md, which is not there',
    ]);
    expect(linksLead(project({ ...files, 'docs/b.md': '[x](a.md#three)' }))).toHaveLength(1);
    expect(anchorOf('4.5 Index, and [more](x.md)')).toBe('45-index-and-more');
  });

  it('looks for files that pages name', () => {
    expect(namedFilesExist(project({ 'README.md': '`docs/none.md`' }))).toHaveLength(1);
    expect(namedFilesExist(project({ 'README.md': '`README.md` `docs/a.md`', 'docs/a.md': '' }))).toEqual([]);
  });

  it('wants exact versions and no hosts', () => {
    const good = {
      'package.json': '{"devDependencies":{"a":"1.2.3"}}',
      'package-lock.json': '{}',
      '.npmrc': 'audit=false\n',
    };
    expect(dependenciesArePinned(project(good))).toEqual([]);
    expect(dependenciesArePinned(project({ ...good, 'package.json': '{"dependencies":{"a":"^1.2.3"}}' }))).toHaveLength(
      1,
    );
    expect(
      dependenciesArePinned(project({ ...good, 'package-lock.json': '"resolved": "https://host/a.tgz"' })),
    ).toHaveLength(1);
    expect(dependenciesArePinned(project({ ...good, '.npmrc': 'registry=https://host/\n' }))).toHaveLength(1);
  });
});
