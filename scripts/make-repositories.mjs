#!/usr/bin/env node
// @ts-check
/**
 * Makes testkit/repositories, the museum: small repositories, good and broken, each with what has to come out of it. Needs root
 * (devices, owners) and a built packages/core. Keys and salts are random, so every run makes other bytes: run it for a new
 * piece, not to refresh old ones.
 *
 *   node scripts/make-repositories.mjs NAME …    make these
 *   node scripts/make-repositories.mjs --all     make all of them again
 */
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { BROKEN } from './repositories/broken.mjs';
import { GOOD } from './repositories/good.mjs';

/** What is backed up stands here, so that paths in the archives say nothing of this machine. */
const SOURCE = '/cairn-museum';

const museum = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', 'testkit', 'repositories');
/** @type {Readonly<Record<string, import('./repositories/good.mjs').Piece>>} */
const PIECES = { ...GOOD, ...BROKEN };

const asked = process.argv.slice(2);
const names = asked.includes('--all') ? Object.keys(PIECES) : asked;
if (names.length === 0) console.log(`which? ${Object.keys(PIECES).join(' ')}`);
if (existsSync(SOURCE)) throw new Error(`${SOURCE} is in the way`);
for (const name of names) {
  const make = PIECES[name];
  if (make === undefined) throw new Error(`there is no ${name}`);
  try {
    await make(path.join(museum, name), SOURCE);
    console.log(name);
  } finally {
    rmSync(SOURCE, { recursive: true, force: true });
  }
}
