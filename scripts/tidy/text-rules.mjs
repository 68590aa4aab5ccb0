// @ts-check
import { lineAt, blanked } from './source-text.mjs';

/** @import { Finding, Project } from './project.mjs' */

const CODE = /\.(?:ts|tsx|mjs|py|sh)$/;
const SCRIPT = /\.(?:ts|tsx|mjs)$/;
const LINE_WIDTH = 140;
const FILE_LINES = 300;
/** A test reads from top to bottom in pieces; it may be longer. */
const TEST_LINES = 500;

/** Longer files, each with the reason why it is one file. One that got shorter is a finding. */
export const LONG_FILES = /** @type {Readonly<Record<string, string>>} */ ({
  'packages/core/src/backup/content-processor.ts':
    'small, opened and large files share one cutter, one window and one pack',
  'packages/core/src/backup/source-walk.ts': 'one loop over one stack; its steps share the frame and the turn',
  'packages/core/src/codec/msgpack.ts': 'writer and reader of one encoding, form by form beside each other',
  'packages/core/src/host/at-calls.ts': 'a table of calls of the C library, and one function for each',
  'packages/core/src/repository.ts': 'the facade: a method of a few lines for each verb',
  'packages/core/src/restore/content-restorer.ts': 'what becomes of one window: reading, writing, rescue, settling',
  'packages/core/src/verbs/backup.ts': 'the order of all writes of a backup is read in one place',
  'scripts/vectors/chunks.mjs': 'known answers of one area: a list',
  'scripts/vectors/keys.mjs': 'known answers of one area: a list',
  'scripts/vectors/log.mjs': 'known answers of one area: a list',
  'scripts/vectors/packs.mjs': 'known answers of one area: a list',
  'scripts/vectors/trees.mjs': 'known answers of one area: a list',
  'testkit/reader/cairn_format.py': 'follows section 4 of the format page, object by object',
});

/** Ambient state that core takes from its ports instead. */
const AMBIENT = [
  { form: /\bDate\.now\b/g, instead: 'the Clock port' },
  { form: /\bnew Date\(\s*\)/g, instead: 'the Clock port' },
  { form: /\bperformance\b\s*\./g, instead: 'the Clock port' },
  { form: /\bMath\.random\b/g, instead: 'the Random port' },
  { form: /\brandom(?:Bytes|UUID|Int|FillSync|Fill)\s*\(/g, instead: 'the Random port' },
  { form: /\bgetRandomValues\b/g, instead: 'the Random port' },
  { form: /\bprocess\s*\./g, instead: 'an option of the caller' },
  { form: /\bconsole\s*\./g, instead: 'a value that the caller prints' },
];

/** Where core meets the machine: adapters, help for tests, and the first file of a worker thread. */
const MEETS_THE_MACHINE =
  /^packages\/core\/src\/(?:(?:host|testing)\/|crypto\/node-suite\.ts$)|\/worker-thread\.ts$|\.test\.ts$/;

/** Uses of ambient state elsewhere, each with its reason. */
const AMBIENT_ALLOWED = /** @type {Readonly<Record<string, { text: string, reason: string }>>} */ ({
  'packages/core/src/backup/content-processor.ts': {
    text: 'process.getuid',
    reason: 'only root may open any file without touching its access time; an unchanging fact of the process',
  },
});

/** @param {Project} project @returns {Finding[]} */
export function noAmbientState(project) {
  /** @type {Finding[]} */
  const findings = [];
  for (const [file, text] of project.matching(/^packages\/core\/src\/.*\.ts$/)) {
    if (MEETS_THE_MACHINE.test(file)) continue;
    const code = blanked(text, { comments: true, literals: true });
    for (const { form, instead } of AMBIENT) {
      for (const match of code.matchAll(form)) {
        if (AMBIENT_ALLOWED[file] !== undefined && code.startsWith(AMBIENT_ALLOWED[file].text, match.index)) continue;
        findings.push({ file, line: lineAt(code, match.index), message: `${match[0].trim()}: use ${instead}` });
      }
    }
  }
  return findings;
}

/** One-line JSDoc, which nobody wraps: types are read by tools. */
const TYPES = /@(?:param|returns|type|typedef)\b/;

/** How long lines are without the insides of their literals: a message or a known answer need not be broken. @param {string} text */
function lineLengths(text) {
  const code = blanked(text, { comments: true });
  const bare = blanked(text, { comments: true, literals: true });
  let at = 0;
  return text.split('\n').map((line) => {
    let literal = 0;
    for (let i = at; i < at + line.length; i += 1) if (code[i] !== bare[i]) literal += 1;
    at += line.length + 1;
    return TYPES.test(line) ? 0 : line.length - literal;
  });
}

/** @param {Project} project @returns {Finding[]} */
export function shortLines(project) {
  /** @type {Finding[]} */
  const findings = [];
  for (const [file, text] of project.matching(CODE)) {
    const lengths = SCRIPT.test(file) ? lineLengths(text) : text.split('\n').map((line) => line.length);
    for (const [index, length] of lengths.entries()) {
      if (length > LINE_WIDTH) findings.push({ file, line: index + 1, message: `${length} characters in a line` });
    }
  }
  return findings;
}

/** @param {Project} project @returns {Finding[]} */
export function shortFiles(project) {
  /** @type {Finding[]} */
  const findings = [];
  for (const [file, text] of project.matching(CODE)) {
    const lines = text.split('\n').length - 1;
    const limit = /\.test\.(?:ts|mjs)$/.test(file) || /\/test_\w+\.py$/.test(file) ? TEST_LINES : FILE_LINES;
    const listed = Object.hasOwn(LONG_FILES, file);
    if (lines > limit && !listed)
      findings.push({ file, line: lines, message: `${lines} lines; split it by responsibility` });
    // Some slack, so that the list does not follow each small change.
    if (lines <= 0.9 * limit && listed)
      findings.push({ file, line: 1, message: 'is short now; take it from LONG_FILES' });
  }
  for (const file of Object.keys(LONG_FILES)) {
    if (!project.files.has(file)) findings.push({ file, line: 1, message: 'is listed in LONG_FILES but not there' });
  }
  return findings;
}

/** Marks and shortcuts, each with what to do instead. The compiler and the linter refuse the rest. */
const UNWANTED = [
  { form: /\b(?:TODO|FIXME|XXX|HACK)\b/g, instead: 'do it, or write it down where it is planned', inComments: true },
  { form: /@ts-(?:ignore|nocheck|expect-error)\b/g, instead: 'give it a type', inComments: true },
  {
    form: /\b(?:eslint|oxlint)-disable\b/g,
    instead: 'list the file with its reason in .oxlintrc.json',
    inComments: true,
  },
  { form: /\b(?:it|test|describe)\.(?:only|todo)\b/g, instead: 'run all tests', inComments: false },
  {
    form: /\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}/g,
    instead: 'let it fail, or say in a comment why not',
    inComments: true,
  },
];

/** This file and its test name what they look for. */
const NAMES_UNWANTED = /^scripts\/tidy\//;

/** @param {Project} project @returns {Finding[]} */
export function noUnwantedWords(project) {
  /** @type {Finding[]} */
  const findings = [];
  for (const [file, text] of project.matching(CODE)) {
    if (/\/(?:utils?|helpers?|common|misc)(?:\/|\.\w+$)/.test(file)) {
      findings.push({ file, line: 1, message: 'a name that says nothing; name what it does' });
    }
    if (NAMES_UNWANTED.test(file)) continue;
    for (const { form, instead, inComments } of UNWANTED) {
      const where = SCRIPT.test(file) ? blanked(text, { literals: true, comments: !inComments }) : text;
      for (const match of where.matchAll(form)) {
        findings.push({ file, line: lineAt(where, match.index), message: `${match[0]}: ${instead}` });
      }
    }
  }
  return findings;
}
