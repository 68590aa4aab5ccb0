#!/usr/bin/env node
// @ts-check
/**
 * Writes testkit/vectors, the known answers: one file, one reason. The same inputs each time, so a run without changes changes
 * nothing. Objects are made by packages/core (build it first), or by the page where no honest writer makes such a thing; what
 * must come out is what went in, and single values are computed on node:crypto alone.
 *
 *   node scripts/make-vectors.mjs            write
 *   node scripts/make-vectors.mjs --check    say what would change, and fail if anything would
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chunkVectors } from './vectors/chunks.mjs';
import { keyVectors } from './vectors/keys.mjs';
import { logVectors } from './vectors/log.mjs';
import { packVectors } from './vectors/packs.mjs';
import { treeVectors } from './vectors/trees.mjs';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'testkit', 'vectors');

async function collect() {
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const vectors of [keyVectors(), chunkVectors(), packVectors(), logVectors(), treeVectors()]) {
    for await (const [name, vector] of vectors) {
      if (files.has(`${name}.json`)) throw new Error(`two vectors are called ${name}`);
      files.set(`${name}.json`, `${JSON.stringify(vector, undefined, 2)}\n`);
    }
  }
  return files;
}

const wanted = await collect();
mkdirSync(folder, { recursive: true });
const there = readdirSync(folder).filter((name) => name.endsWith('.json'));
const superfluous = there.filter((name) => !wanted.has(name));
const changed = [...wanted].filter(([name, text]) => {
  const file = path.join(folder, name);
  return !existsSync(file) || readFileSync(file, 'utf8') !== text;
});
for (const name of superfluous) console.log(`superfluous: ${name}`);
for (const [name] of changed) console.log(`changed: ${name}`);
if (process.argv.includes('--check')) {
  process.exitCode = superfluous.length + changed.length === 0 ? 0 : 1;
} else {
  for (const name of superfluous) rmSync(path.join(folder, name));
  for (const [name, text] of changed) writeFileSync(path.join(folder, name), text);
}
console.log(`${wanted.size} vectors`);
