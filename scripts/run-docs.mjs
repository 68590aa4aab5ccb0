#!/usr/bin/env node
// @ts-check
/**
 * Runs every command and program that README.md and the pages in docs/ show.
 *
 *     node scripts/run-docs.mjs                 # `N passed, N failed`, one for each block
 *     node scripts/run-docs.mjs docs/start.md   # one page, with its output
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { blocksOf } from './docs/blocks.mjs';
import { runPage } from './docs/run-page.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const asked = process.argv.slice(2);

function allPages() {
  const pages = readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' });
  return [
    'README.md',
    ...pages.filter((name) => name.endsWith('.md')).map((name) => path.join('docs', name)),
  ].toSorted();
}

let passed = 0;
let failed = 0;
for (const page of asked.length > 0 ? asked : allPages()) {
  const { blocks, problems, sandboxed } = blocksOf(readFileSync(path.join(root, page), 'utf8'));
  for (const { line, message } of problems) console.log(`${page}:${line}: ${message}`);
  failed += problems.length;
  const shown = blocks.filter((block) => !block.hidden).length;
  if (shown === 0) continue;
  const result = runPage(root, blocks, sandboxed);
  if (asked.length > 0 || result.failed !== undefined) console.log(result.output.trimEnd());
  if (result.failed === undefined) {
    passed += shown;
    continue;
  }
  const passedHere = blocks.slice(0, result.failed).filter((block) => !block.hidden).length;
  const at = blocks[result.failed];
  passed += passedHere;
  failed += shown - passedHere || 1;
  console.log(
    `${page}:${at?.line}: a command of this block fails; ${shown - passedHere} of ${shown} blocks did not pass`,
  );
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
