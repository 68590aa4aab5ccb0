#!/usr/bin/env node
// @ts-check
/** Exits 0 when `node_modules` holds what `package-lock.json` asks for, else says what differs and exits 1. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** @param {string} name @returns {Record<string, { version?: string, optional?: boolean, link?: boolean }>} */
function packagesOf(name) {
  const file = path.join(root, name);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {};
}

// npm writes the second one with each install: what is really there.
const wanted = packagesOf('package-lock.json');
const installed = packagesOf('node_modules/.package-lock.json');
const different = Object.entries(wanted).find(([name, { version, optional, link }]) => {
  if (!name.startsWith('node_modules/')) return false;
  if (installed[name] === undefined) return optional !== true; // optional ones may be for another system
  return link !== true && installed[name].version !== version;
});
if (different !== undefined) {
  console.log(`installing packages: ${different[0]} is not there, or of another version`);
  process.exitCode = 1;
}
