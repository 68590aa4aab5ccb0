// @ts-check
import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SeededStream } from './seed.mjs';
import { filesBelow } from './system-files.mjs';

const systemRoot = '/usr';
// Whole directories in this order first; the large and varied lib and local fill up what is missing.
const systemOrder = ['share', 'include', 'bin', 'sbin', 'libexec', 'src', 'lib', 'local'];
const maxTreeBytes = 2e9;
export const treeFiles = 60_000;
export const smallFiles = 100_000;
const smallDirectories = 1000;
const smallestBytes = 200;
const largestBytes = 16 * 1024;

/**
 * Copies parts of /usr, with owners, times, links and attributes, until there are enough files.
 * @param {string} directory
 * @param {number} wanted how many files
 */
export function makeTree(directory, wanted) {
  mkdirSync(directory, { recursive: true });
  let files = 0;
  let bytes = 0;
  for (const part of systemOrder) {
    /** @type {string[]} */
    const chosen = [];
    for (const name of namesIn(part)) {
      if (files >= wanted) break;
      const size = sizeOf(path.join(systemRoot, part, name));
      if (bytes + size.bytes > maxTreeBytes) continue;
      files += size.files;
      bytes += size.bytes;
      chosen.push(path.join(part, name));
    }
    if (chosen.length > 0) copyParts(chosen, directory);
  }
  if (files < wanted) console.error(`bench: /usr has only ${files} suitable files, wanted ${wanted}`);
}

/** @param {string} part @returns {string[]} the names in a directory of the system root, sorted; none when it is absent */
function namesIn(part) {
  const directory = path.join(systemRoot, part);
  const entry = lstatSync(directory, { throwIfNoEntry: false });
  return entry?.isDirectory() ? readdirSync(directory).sort() : [];
}

/** @param {string} unit @returns {{ files: number, bytes: number }} */
function sizeOf(unit) {
  const entry = lstatSync(unit);
  if (!entry.isDirectory()) return { files: entry.isFile() ? 1 : 0, bytes: entry.isFile() ? entry.size : 0 };
  const files = filesBelow(unit);
  return { files: files.length, bytes: files.reduce((sum, file) => sum + lstatSync(file).size, 0) };
}

/** @param {string[]} parts relative to the system root @param {string} directory */
function copyParts(parts, directory) {
  const copy = spawnSync('cp', ['-a', '--parents', '-t', directory, '--', ...parts], {
    cwd: systemRoot,
    encoding: 'utf8',
  });
  if (copy.status !== 0) throw new Error(`cp -a from ${systemRoot} failed: ${copy.stderr ?? copy.error}`);
}

/**
 * Small texts of invented words in 1000 directories; sizes from 200 B to 16 KiB, short ones the most common.
 * @param {string} directory
 * @param {number} count
 */
export function makeSmall(directory, count) {
  const random = new SeededStream('small');
  const words = inventWords(random, 6000);
  const directories = Math.min(smallDirectories, Math.ceil(count / 100));
  for (let index = 0; index < directories; index += 1) mkdirSync(smallDirectory(directory, index), { recursive: true });
  for (let index = 0; index < count; index += 1) {
    const size = Math.round(smallestBytes * (largestBytes / smallestBytes) ** random.fraction());
    const file = path.join(
      smallDirectory(directory, index % directories),
      `note-${String(index).padStart(6, '0')}.txt`,
    );
    writeFileSync(file, makeText(random, words, size), 'latin1');
  }
}

/** @param {string} directory @param {number} index */
function smallDirectory(directory, index) {
  return path.join(directory, `folder-${String(index).padStart(3, '0')}`);
}

/** @param {SeededStream} random @param {number} count @returns {string[]} */
function inventWords(random, count) {
  const syllables = 'ba ce di fo gu la me ni or pu ra se ti vo un as el in ker tan mor lis den'.split(' ');
  const pick = () => syllables[random.below(syllables.length)];
  return Array.from({ length: count }, () => Array.from({ length: 1 + random.below(4) }, pick).join(''));
}

/** @param {SeededStream} random @param {string[]} words @param {number} size @returns {string} exactly `size` characters */
export function makeText(random, words, size) {
  let text = '';
  while (text.length < size) {
    // Squared, so that some words are common and most are rare, as in a language.
    text += words[Math.floor(words.length * random.fraction() ** 2)];
    const after = random.below(16);
    if (after === 0) text += '.\n';
    else if (after === 1) text += ` ${random.below(100_000)} `;
    else text += ' ';
  }
  return text.slice(0, size);
}
