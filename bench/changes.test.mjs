// @ts-check
import { createHash } from 'node:crypto';
import { linkSync, lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeSome, insertNearStart, prepareChanges, undoChanges } from './changes.mjs';
import { makeImage } from './data-files.mjs';
import { makeSmall } from './data-trees.mjs';
import { SeededStream } from './seed.mjs';
import { filesBelow } from './system-files.mjs';

/** @typedef {import('./data.mjs').DataSet} DataSet */
/** @typedef {import('./data.mjs').SetName} SetName */

let root = '';
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'bench-changes-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** @param {SetName} name @returns {DataSet} */
function emptySet(name) {
  return { name, live: path.join(root, 'live'), undo: path.join(root, 'undo'), files: 0, bytes: 0, oneFile: '' };
}

/** @param {string} directory @returns {Map<string, string>} content and time of each file */
function snapshot(directory) {
  return new Map(
    filesBelow(directory).map((file) => {
      const hash = createHash('sha256').update(readFileSync(file)).digest('hex');
      return [file, `${hash} ${lstatSync(file, { bigint: true }).mtimeNs}`];
    }),
  );
}

/** @param {Map<string, string>} a @param {Map<string, string>} b @returns {string[]} */
function differing(a, b) {
  return [...a].filter(([file, value]) => b.get(file) !== value).map(([file]) => file);
}

describe('changes', () => {
  it('changes 1 % of a tree, the same files each time, and puts them back with their times', () => {
    const set = emptySet('small');
    makeSmall(set.live, 300);
    const before = snapshot(set.live);
    prepareChanges(set);
    changeSome(set);
    const changed = differing(before, snapshot(set.live));
    expect(changed).toHaveLength(3);
    expect(undoChanges(set)).toBe(true);
    expect(snapshot(set.live)).toEqual(before);
    prepareChanges(set);
    changeSome(set);
    expect(differing(before, snapshot(set.live))).toEqual(changed);
  });

  it('never chooses a file that has a second name', () => {
    const set = emptySet('small');
    makeSmall(set.live, 100);
    const files = filesBelow(set.live);
    for (const file of files.slice(1)) linkSync(file, `${file}.second`);
    const before = snapshot(set.live);
    prepareChanges(set);
    changeSome(set);
    expect(differing(before, snapshot(set.live))).toEqual(files.slice(0, 1));
  });

  it('overwrites blocks of the image in place, then inserts without losing a byte', () => {
    const set = emptySet('image');
    makeImage(set.live, 8 * 1024 * 1024);
    const file = path.join(set.live, 'image.raw');
    const before = snapshot(set.live);
    const original = readFileSync(file);
    prepareChanges(set);
    changeSome(set);
    const overwritten = readFileSync(file);
    expect(overwritten.length).toBe(original.length);
    expect(overwritten.equals(original)).toBe(false);
    insertNearStart(set);
    const inserted = readFileSync(file);
    const added = inserted.length - original.length;
    expect(added).toBe(512 * 1024);
    const offset = Math.floor(original.length / 300) + 123;
    expect(Buffer.concat([inserted.subarray(0, offset), inserted.subarray(offset + added)]).equals(overwritten)).toBe(
      true,
    );
    undoChanges(set);
    expect(snapshot(set.live)).toEqual(before);
  });

  it('does not put incomplete copies back after an interrupted preparation', () => {
    const set = emptySet('small');
    makeSmall(set.live, 100);
    const before = snapshot(set.live);
    prepareChanges(set);
    rmSync(path.join(set.undo, 'list.json'));
    expect(undoChanges(set)).toBe(false);
    expect(snapshot(set.live)).toEqual(before);
  });
});

describe('data', () => {
  it('is the same each time from the same seed', () => {
    makeSmall(path.join(root, 'one'), 200);
    makeSmall(path.join(root, 'two'), 200);
    const contents = (/** @type {string} */ name) =>
      filesBelow(path.join(root, name)).map((file) => readFileSync(file, 'latin1'));
    expect(contents('one')).toEqual(contents('two'));
    expect(new Set(contents('one')).size).toBe(200);
    expect(new SeededStream('a').bytes(32)).toEqual(new SeededStream('a').bytes(32));
    expect(new SeededStream('a').bytes(32)).not.toEqual(new SeededStream('b').bytes(32));
  });
});
