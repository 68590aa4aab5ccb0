// @ts-check
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bigFile, imageBytes, largeBytes, makeImage, makeLarge } from './data-files.mjs';
import { makeSmall, makeTree, smallFiles, treeFiles } from './data-trees.mjs';
import { filesBelow } from './system-files.mjs';

/** @typedef {'large' | 'tree' | 'small' | 'image'} SetName */
/** @typedef {{ name: SetName, live: string, undo: string, files: number, bytes: number, oneFile: string }} DataSet */

/** @type {SetName[]} */
export const setNames = ['large', 'tree', 'small', 'image'];
/** What each data set is, for the report. */
export const setTitles = {
  large: 'One large file, half incompressible',
  tree: 'A real system tree',
  small: 'Many small text files',
  image: 'A disk image, then edits, then an insertion',
};

// Raised when the made data changes, so that older data is made again.
const dataVersion = 1;
const markerName = 'touched-last.txt';
const markerText = 'The newest file of the set.\n'.repeat(40);
const settleMilliseconds = 3000;

/**
 * The data set, made when it is not there yet. It is the same on every machine with the same /usr.
 * @param {SetName} name
 * @param {string} root the directory that keeps all made data
 * @param {number} scale 1 is full size
 * @returns {DataSet}
 */
export function ensureSet(name, root, scale) {
  const home = path.join(root, `scale-${scale}`, name);
  const live = path.join(home, 'live');
  const ready = path.join(home, 'ready.json');
  if (!existsSync(ready) || JSON.parse(readFileSync(ready, 'utf8')).version !== dataVersion) {
    console.error(`bench: making the data set ${name} at scale ${scale}`);
    rmSync(home, { recursive: true, force: true });
    make(name, live, scale);
    writeFileSync(path.join(live, markerName), markerText);
    const all = filesBelow(live);
    const bytes = all.reduce((sum, file) => sum + statSync(file).size, 0);
    const summary = { version: dataVersion, files: all.length, bytes, oneFile: chooseOne(name, live, all) };
    writeFileSync(`${ready}.new`, JSON.stringify(summary));
    renameSync(`${ready}.new`, ready);
  }
  const { files, bytes, oneFile } = JSON.parse(readFileSync(ready, 'utf8'));
  return { name, live, undo: path.join(home, 'undo'), files, bytes, oneFile };
}

/** @param {SetName} name @param {string} live @param {number} scale */
function make(name, live, scale) {
  mkdirSync(live, { recursive: true });
  if (name === 'large') makeLarge(live, Math.round(largeBytes * scale));
  else if (name === 'image') makeImage(live, Math.round(imageBytes * scale));
  else if (name === 'tree') makeTree(live, Math.ceil(treeFiles * scale));
  else makeSmall(live, Math.ceil(smallFiles * scale));
}

/**
 * The file that `restore one` asks for: one in the middle of a tree, or the small one beside the big one.
 * @param {SetName} name
 * @param {string} live
 * @param {string[]} all
 * @returns {string} relative to the live directory
 */
function chooseOne(name, live, all) {
  if (name in bigFile) return markerName;
  // Plain names only: some programs read the argument as a pattern.
  const plain = all.map((file) => path.relative(live, file)).filter((file) => /^[\w./-]+$/.test(file));
  return plain[Math.floor(plain.length / 2)] ?? markerName;
}

/**
 * Makes one small file the newest of the set. Borg reads every file whose change time is the newest it saw again on the
 * next run (it may have changed within the clock's tick), which without this would be the whole of a one-file set.
 * @param {DataSet} set
 */
export async function touchMarker(set) {
  await sleep(50);
  const now = new Date();
  utimesSync(path.join(set.live, markerName), now, now);
}

/**
 * Waits until every file has been left alone for a few seconds, so that no program distrusts its times.
 * @param {DataSet} set
 */
export async function settle(set) {
  const age = Date.now() - statSync(path.join(set.live, markerName)).ctimeMs;
  if (age < settleMilliseconds) await sleep(settleMilliseconds - age);
}
