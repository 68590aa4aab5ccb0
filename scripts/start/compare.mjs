#!/usr/bin/env node
// @ts-check
/**
 * Compares a restored file or directory with what was backed up, in content and metadata.
 *
 *     node scripts/start/compare.mjs SOURCE RESTORED BEGAN SCRATCH
 *
 * BEGAN: nanoseconds since 1970. What changed since then is counted and not compared; nor is what this user cannot read.
 * SCRATCH: a directory that is not compared, where it lies in the source.
 */
import { accessSync, constants, lstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { compareTrees } from '../../packages/core/dist/testing/index.js';

const [source = '', restored = '', began = '0', scratch = ''] = process.argv.slice(2);
const startNs = BigInt(began);
let changed = 0;
let unreadable = 0;

/** @param {string} file a text or bytes @returns {boolean} */
function isLeftOut(file) {
  if (file === Buffer.from(scratch).toString('latin1')) return true;
  const name = Buffer.from(file, 'latin1');
  const status = lstatSync(name, { bigint: true, throwIfNoEntry: false });
  if (status === undefined || status.ctimeNs >= startNs) {
    // A directory changes when something is made in it, and what was there before is still compared.
    if (status?.isDirectory()) return isUnreadable(name);
    changed += 1;
    return true;
  }
  return (status.isFile() || status.isDirectory()) && isUnreadable(name);
}

/** @param {Buffer} name @returns {boolean} */
function isUnreadable(name) {
  try {
    accessSync(name, lstatSync(name).isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK);
    return false;
  } catch {
    unreadable += 1;
    return true;
  }
}

/** @returns {string[]} */
function differences() {
  const bytes = Buffer.from(source).toString('latin1');
  if (!lstatSync(source).isDirectory()) {
    return readFileSync(source).equals(readFileSync(restored)) ? [] : ['its content differs'];
  }
  return compareTrees(bytes, Buffer.from(restored).toString('latin1'), {
    // Only root can give files away, or restore attributes of the system.
    ignore: process.getuid?.() === 0 ? [] : ['owner', 'xattrs', 'flags'],
    ignoreRoot: true,
    ignorePath: (relative) => isLeftOut(path.posix.join(bytes, relative)),
    limit: 20,
  });
}

const found = differences();
for (const difference of found) console.log(`  ${difference}`);
if (changed > 0) console.log(`  ${changed} entries changed meanwhile and were not compared.`);
if (unreadable > 0) console.log(`  ${unreadable} entries cannot be read by this user and were not compared.`);
console.log(found.length === 0 ? '  Equal: contents, modes, times, owners, links, attributes.' : '  They differ.');
process.exitCode = found.length === 0 ? 0 : 1;
