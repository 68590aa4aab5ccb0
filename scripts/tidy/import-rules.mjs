// @ts-check
import path from 'node:path';
import { isBuiltin } from 'node:module';
import { ADAPTERS, ALLOWED, CORE_ROWS, CORE_TESTING, PACKAGE_IMPORTS, TESTING_USERS, TOGETHER } from './layers.mjs';
import { importsOf } from './source-text.mjs';

/** @import { Finding, Project } from './project.mjs' */

const CORE = 'packages/core/src/';
const TEST_FILE = /\.test\.ts$/;

/** @param {string} file @param {string} part */
function belongs(file, part) {
  return part.endsWith('/') ? file.startsWith(part) : file === part || file.endsWith(`/${part}`);
}

/** @param {string} file below `packages/core/src/` @returns {{ row: number, part: string } | undefined} */
export function placeOf(file) {
  let best;
  for (const [row, parts] of CORE_ROWS.entries()) {
    for (const part of parts) {
      const fits = part.endsWith('/') ? file.startsWith(part) : file === part;
      if (fits && (best === undefined || part.length > best.part.length)) best = { row, part };
    }
  }
  return best;
}

/** @param {string} from @param {string} to both below `packages/core/src/` @returns {string | undefined} what is wrong */
function judge(from, to) {
  if (to.startsWith(CORE_TESTING)) return `production code imports ${to}, which is for tests`;
  const importer = placeOf(from);
  const imported = placeOf(to);
  if (importer === undefined) return `${from} has no row in scripts/tidy/layers.mjs`;
  if (imported === undefined) return `${to} has no row in scripts/tidy/layers.mjs`;
  if (importer.part !== imported.part && imported.row >= importer.row) {
    if (imported.row > importer.row) return `imports ${to}, which is above it (rows of scripts/tidy/layers.mjs)`;
    const together = TOGETHER.some((part) => CORE_ROWS[importer.row]?.includes(part));
    if (!together) return `imports ${to}, but ${importer.part} and ${imported.part} stand side by side`;
  }
  const adapter = imported.row === 0 ? undefined : ADAPTERS.find((each) => belongs(to, each.adapter));
  if (adapter !== undefined && importer.row > imported.row && imported.part !== 'stores/contract.ts') {
    if (!adapter.users.some((user) => belongs(from, user))) return `names the adapter ${to}; take its port instead`;
  }
  return undefined;
}

/** @param {Project} project @returns {Finding[]} */
export function coreDirection(project) {
  /** @type {Finding[]} */
  const findings = [];
  const used = new Set();
  for (const [file, text] of project.matching(/^packages\/core\/src\/.*\.ts$/)) {
    const from = file.slice(CORE.length);
    if (TEST_FILE.test(from) || from.startsWith(CORE_TESTING)) continue;
    for (const { target, line } of importsOf(text)) {
      if (!target.startsWith('.')) continue;
      const to = path.posix.join(path.posix.dirname(from), target).replace(/\.js$/, '.ts');
      const allowed = ALLOWED.find((each) => each.from === from && each.to === to);
      const wrong = judge(from, to);
      if (wrong !== undefined && allowed === undefined) findings.push({ file, line, message: wrong });
      if (wrong !== undefined && allowed !== undefined) used.add(allowed);
    }
  }
  for (const each of ALLOWED) {
    if (!used.has(each)) {
      const message = `the exception ${each.from} → ${each.to} is not needed any more`;
      findings.push({ file: 'scripts/tidy/layers.mjs', line: 1, message });
    }
  }
  return findings;
}

/** @param {string} target @returns {string} `@scope/name` or `name` */
function packageName(target) {
  return target.split('/', target.startsWith('@') ? 2 : 1).join('/');
}

/**
 * Files below `src/testing/` that its index does not lead to: help for this package's own tests, which does not ship.
 *
 * @param {Project} project @param {string} name of the package @returns {(file: string) => boolean}
 */
function ownTestHelp(project, name) {
  const folder = `packages/${name}/src/testing/`;
  const shipped = new Set();
  const open = [`${folder}index.ts`];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (shipped.has(file)) continue;
    shipped.add(file);
    const targets = importsOf(project.files.get(file) ?? '').filter(({ target }) => target.startsWith('.'));
    const base = path.posix.dirname(file);
    open.push(...targets.map(({ target }) => path.posix.join(base, target)));
  }
  return (file) => file.startsWith(folder) && !shipped.has(file);
}

/**
 * Across packages: only allowed directions, only what `exports` names, and only what the package's own manifest lists.
 * npm puts all packages into one folder, so a missing dependency would otherwise be noticed by users first.
 *
 * @param {Project} project @returns {Finding[]}
 */
export function packageDirection(project) {
  /** @type {Finding[]} */
  const findings = [];
  const rootManifest = JSON.parse(project.files.get('package.json') ?? '{}');
  for (const [name, allowed] of Object.entries(PACKAGE_IMPORTS)) {
    const manifest = JSON.parse(project.files.get(`packages/${name}/package.json`) ?? '{}');
    const isTestHelp = ownTestHelp(project, name);
    for (const [file, text] of project.matching(new RegExp(`^packages/${name}/(?:src|test)/.*\\.ts$`))) {
      const isTest = TEST_FILE.test(file) || file.startsWith(`packages/${name}/test/`) || isTestHelp(file);
      const known = {
        ...manifest.dependencies,
        ...(isTest ? { ...manifest.devDependencies, ...rootManifest.devDependencies } : {}),
      };
      for (const { target, line } of importsOf(text)) {
        if (target.startsWith('.')) {
          const to = path.posix.join(path.posix.dirname(file), target);
          if (!isTest && !to.startsWith(`packages/${name}/src/`))
            findings.push({ file, line, message: `imports ${to}, outside src/` });
        } else if (isBuiltin(target)) {
          if (!target.startsWith('node:')) findings.push({ file, line, message: `write node:${target}` });
        } else if (target.startsWith('@cairn/')) {
          const other = packageName(target).slice('@cairn/'.length);
          const forTests = target.endsWith('/testing');
          if (!allowed.includes(other))
            findings.push({ file, line, message: `@cairn/${name} may not import ${target}` });
          else if (forTests && !isTest && !TESTING_USERS.includes(file))
            findings.push({ file, line, message: `production code imports ${target}` });
        } else if (known[packageName(target)] === undefined) {
          const message = `${packageName(target)} is not a dependency in packages/${name}/package.json`;
          findings.push({ file, line, message });
        }
      }
    }
  }
  return findings;
}
