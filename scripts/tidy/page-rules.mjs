// @ts-check
import path from 'node:path';
import { lineAt } from './source-text.mjs';

/** @import { Finding, Project } from './project.mjs' */

const ERRORS = 'packages/core/src/errors.ts';
const ERRORS_PAGE = 'docs/reference/errors.md';

/** @param {string} source @returns {Map<string, number>} code → exit status */
export function readErrorTable(source) {
  const table = /export const ERROR_TABLE = \{([^]*?)\n\} as const/.exec(source)?.[1] ?? '';
  return new Map(
    [...table.matchAll(/^ {2}([A-Z_]+): \{\s*exit: (\d+)/gm)].map(([, code = '', exit]) => [code, Number(exit)]),
  );
}

/**
 * Each code has a heading of its own and its exit status below it; no heading is a code that does not exist.
 *
 * @param {Project} project @returns {Finding[]}
 */
export function errorsPageIsComplete(project) {
  const page = project.files.get(ERRORS_PAGE) ?? '';
  const codes = readErrorTable(project.files.get(ERRORS) ?? '');
  /** @type {Finding[]} */
  const findings = [];
  if (codes.size === 0) findings.push({ file: ERRORS, line: 1, message: 'the table of errors cannot be read' });
  const headings = [...page.matchAll(/^#{2,4} `?([A-Z][A-Z_]+)`?[^\n]*$/gm)];
  const sections = new Map(
    headings.map((match, index) => [
      match[1] ?? '',
      page.slice(match.index, headings[index + 1]?.index ?? page.length),
    ]),
  );
  for (const [code, exit] of codes) {
    const section = sections.get(code);
    if (section === undefined) findings.push({ file: ERRORS_PAGE, line: 1, message: `has no heading ${code}` });
    else if (!new RegExp(`\\b${exit}\\b`).test(section)) {
      findings.push({ file: ERRORS_PAGE, line: 1, message: `does not say that ${code} exits with ${exit}` });
    }
  }
  for (const match of headings) {
    if (!codes.has(match[1] ?? '')) {
      findings.push({
        file: ERRORS_PAGE,
        line: lineAt(page, match.index),
        message: `${match[1]} is no code in ${ERRORS}`,
      });
    }
  }
  return findings;
}

/** How the anchor of a heading is made on the usual forges. @param {string} heading */
export function anchorOf(heading) {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}

/** @param {string} page without code @returns {Set<string>} */
function anchorsOf(page) {
  const anchors = new Set();
  for (const [, heading = ''] of page.matchAll(/^#{1,6} +(.*)$/gm)) {
    const anchor = anchorOf(heading);
    let name = anchor;
    for (let again = 1; anchors.has(name); again += 1) name = `${anchor}-${again}`;
    anchors.add(name);
  }
  return anchors;
}

/** Fenced blocks become empty lines. @param {string} page */
function withoutFences(page) {
  return page.replaceAll(/^(`{3,})[^\n]*\n[^]*?^\1$/gm, (block) => block.replaceAll(/[^\n]/g, ''));
}

/** Links between pages, and to files of this repository, lead somewhere. @param {Project} project @returns {Finding[]} */
export function linksLead(project) {
  /** @type {Finding[]} */
  const findings = [];
  for (const [file, text] of project.matching(/\.md$/)) {
    const page = withoutFences(text).replaceAll(/`[^`\n]*`/g, (code) => ' '.repeat(code.length));
    for (const match of page.matchAll(/\]\(([^)\s]+)\)/g)) {
      const target = match[1] ?? '';
      if (/^[a-z]+:/.test(target)) continue;
      const [name = '', anchor] = target.split('#');
      const to = name === '' ? file : path.posix.join(path.posix.dirname(file), name);
      const line = lineAt(page, match.index);
      if (!project.exists(to)) findings.push({ file, line, message: `links to ${to}, which is not there` });
      else if (anchor !== undefined && !anchorsOf(withoutFences(project.files.get(to) ?? '')).has(anchor)) {
        findings.push({ file, line, message: `links to #${anchor}, which ${to} does not have` });
      }
    }
  }
  return findings;
}

/** Paths that pages name in backquotes exist: `packages/core/src/limits.ts`. @param {Project} project @returns {Finding[]} */
export function namedFilesExist(project) {
  /** @type {Finding[]} */
  const findings = [];
  for (const [file, text] of project.matching(/\.md$/)) {
    for (const match of text.matchAll(/`((?:packages|scripts|docs|testkit|bench)\/[\w./-]*\w\/?)`/g)) {
      const to = (match[1] ?? '').replace(/\/$/, '');
      if (!project.exists(to)) findings.push({ file, line: lineAt(text, match.index), message: `${to} is not there` });
    }
  }
  return findings;
}

/**
 * What is installed is what was tested: exact versions, and no hosts in the lockfile.
 *
 * @param {Project} project @returns {Finding[]}
 */
export function dependenciesArePinned(project) {
  /** @type {Finding[]} */
  const findings = [];
  for (const [file, text] of project.matching(/^(?:packages\/[^/]+\/)?package\.json$/)) {
    const manifest = JSON.parse(text);
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      // Types follow the oldest supported Node, whose patch releases change nothing that is compiled.
      if (name === '@types/node' || /^\d+\.\d+\.\d+$/.test(String(version))) continue;
      findings.push({ file, line: 1, message: `${name}: ${version} is no exact version` });
    }
  }
  for (const file of ['package-lock.json', '.npmrc']) {
    const text = project.files.get(file);
    if (text === undefined) findings.push({ file, line: 1, message: 'is not there' });
    for (const match of (text ?? '').matchAll(/"resolved": "https?:[^"]*"|^.*registry *=.*$/gm)) {
      findings.push({ file, line: lineAt(text ?? '', match.index), message: `names a host: ${match[0]}` });
    }
  }
  return findings;
}
