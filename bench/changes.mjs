// @ts-check
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { bigFile, imageBytes, writeAll } from './data-files.mjs';
import { SeededStream } from './seed.mjs';
import { filesBelow } from './system-files.mjs';

/** @typedef {import('./data.mjs').DataSet} DataSet */

const blockBytes = 4096;
const overwrites = 200;
const insertedBytes = 1024 * 1024;
const changedShare = 0.01;
const copyBytes = 4 * 1024 * 1024;

/**
 * Keeps a copy of every file that the changes of this set will touch. Call once, before the first change.
 * @param {DataSet} set
 */
export function prepareChanges(set) {
  const files = path.join(set.undo, 'files');
  mkdirSync(files, { recursive: true });
  const list = changedFiles(set);
  for (let from = 0; from < list.length; from += 1000) {
    const some = list.slice(from, from + 1000);
    const copy = spawnSync('cp', ['-a', '--parents', '-t', files, '--', ...some], { cwd: set.live, encoding: 'utf8' });
    if (copy.status !== 0) throw new Error(`cp -a into ${files} failed: ${copy.stderr ?? copy.error}`);
  }
  // Written last: without it nothing was changed yet and the copies may be incomplete.
  writeFileSync(listOf(set), JSON.stringify(list));
}

/** @param {DataSet} set @returns {string} the file that lists what was kept */
function listOf(set) {
  return path.join(set.undo, 'list.json');
}

/** @param {DataSet} set @returns {string[]} the files that were kept, relative to the live directory */
function keptFiles(set) {
  return JSON.parse(readFileSync(listOf(set), 'utf8'));
}

/**
 * Puts the set back to what it was before its changes, also after an interrupted run.
 * @param {DataSet} set
 * @returns {boolean} whether anything had been changed
 */
export function undoChanges(set) {
  const changed = existsSync(listOf(set));
  if (changed) {
    for (const file of keptFiles(set)) {
      const kept = path.join(set.undo, 'files', file);
      // Absent when an earlier undo was interrupted after it had put this file back.
      if (existsSync(kept)) renameSync(kept, path.join(set.live, file));
    }
  }
  rmSync(set.undo, { recursive: true, force: true });
  return changed;
}

/**
 * The files the changes touch: the big one, or a seeded 1 % of a tree.
 * @param {DataSet} set
 * @returns {string[]} relative to the live directory
 */
function changedFiles(set) {
  if (set.name === 'large' || set.name === 'image') return [bigFile[set.name]];
  const random = new SeededStream(`change ${set.name}`);
  // Not a file with several names: a changed copy put back would no longer be the same file under the others.
  const all = filesBelow(set.live).filter((file) => lstatSync(file).nlink === 1);
  const wanted = Math.max(1, Math.round(all.length * changedShare));
  /** @type {Set<string>} */
  const chosen = new Set();
  if (all.length < wanted) throw new Error(`no file to change in ${set.live}`);
  while (chosen.size < wanted) {
    const file = /** @type {string} in range: below(length) */ (all[random.below(all.length)]);
    chosen.add(path.relative(set.live, file));
  }
  return [...chosen];
}

/**
 * The first change: 200 random 4 KiB overwrites in a big file, or 1 % of the files modified.
 * @param {DataSet} set
 */
export function changeSome(set) {
  const random = new SeededStream(`bytes ${set.name}`);
  if (set.name === 'large' || set.name === 'image') {
    const fd = openSync(path.join(set.live, bigFile[set.name]), 'r+');
    const blocks = Math.floor(fstatSync(fd).size / blockBytes);
    const scaled = Math.max(1, Math.round((overwrites * blocks * blockBytes) / imageBytes));
    for (let done = 0; done < scaled; done += 1) {
      writeAll(fd, random.bytes(blockBytes), random.below(blocks) * blockBytes);
    }
    closeSync(fd);
    return;
  }
  for (const file of keptFiles(set)) {
    appendFileSync(path.join(set.live, file), `\n${random.bytes(24).toString('hex')}\n`);
  }
}

/**
 * The second change of the image: 1 MiB inserted near the start, at no round offset.
 * @param {DataSet} set
 */
export function insertNearStart(set) {
  const file = path.join(set.live, bigFile.image);
  const from = openSync(file, 'r');
  const to = openSync(`${file}.new`, 'wx');
  const { size } = fstatSync(from);
  const offset = Math.floor(size / 300) + 123;
  const inserted = Math.min(insertedBytes, Math.floor(size / 16));
  copyRange(from, to, 0, offset);
  writeAll(to, new SeededStream('inserted').bytes(inserted));
  copyRange(from, to, offset, size);
  closeSync(from);
  closeSync(to);
  renameSync(`${file}.new`, file);
}

/** @param {number} from @param {number} to @param {number} start @param {number} end */
function copyRange(from, to, start, end) {
  const buffer = Buffer.allocUnsafe(copyBytes);
  for (let at = start; at < end;) {
    const read = readSync(from, buffer, 0, Math.min(copyBytes, end - at), at);
    if (read === 0) throw new Error('the image became shorter while it was copied');
    writeAll(to, buffer.subarray(0, read));
    at += read;
  }
}
