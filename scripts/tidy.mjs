#!/usr/bin/env node
// @ts-check
/**
 * Holds the habits of this code base that neither the compiler nor the linter can hold.
 *
 *     node scripts/tidy.mjs            # `N passed, N failed`, one for each rule
 *     node scripts/tidy.mjs --write    # makes the tables that come from the code anew
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { coreDirection, packageDirection } from './tidy/import-rules.mjs';
import { formatPageShowsLimits, limitsPageIsCurrent, writeLimitsPage } from './tidy/limits-page.mjs';
import { dependenciesArePinned, errorsPageIsComplete, linksLead, namedFilesExist } from './tidy/page-rules.mjs';
import { Project } from './tidy/project.mjs';
import { noAmbientState, noUnwantedWords, shortFiles, shortLines } from './tidy/text-rules.mjs';

/** @import { Rule } from './tidy/project.mjs' */

/** @type {readonly Rule[]} */
const RULES = [
  { name: 'imports inside core point one way', check: coreDirection },
  { name: 'imports between packages point one way', check: packageDirection },
  { name: 'core takes time, randomness and surroundings from its ports', check: noAmbientState },
  { name: 'files are short, or say why not', check: shortFiles },
  { name: 'lines are short', check: shortLines },
  { name: 'no marks, no shortcuts, no empty names', check: noUnwantedWords },
  { name: 'dependencies are pinned', check: dependenciesArePinned },
  { name: 'docs/reference/errors.md has every error', check: errorsPageIsComplete },
  { name: 'docs/reference/limits.md is limits.ts', check: limitsPageIsCurrent },
  { name: 'docs/design/format.md shows limits.ts', check: formatPageShowsLimits },
  { name: 'links in pages lead somewhere', check: linksLead },
  { name: 'files named in pages exist', check: namedFilesExist },
];

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

if (process.argv.includes('--write')) {
  const { file, text } = writeLimitsPage(Project.read(root));
  writeFileSync(path.join(root, file), text);
  execFileSync(path.join(root, 'node_modules/.bin/prettier'), ['--write', file], { cwd: root, stdio: 'inherit' });
}

const project = Project.read(root);
let failed = 0;
for (const { name, check } of RULES) {
  const findings = check(project);
  if (findings.length > 0) {
    failed += 1;
    console.log(`not tidy: ${name}`);
    for (const { file, line, message } of findings) console.log(`  ${file}:${line}: ${message}`);
  }
}
console.log(`${RULES.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
