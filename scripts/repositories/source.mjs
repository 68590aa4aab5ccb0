// @ts-check
import { createHash } from 'node:crypto';
import { constants, lstatSync, unlinkSync, utimesSync } from 'node:fs';
import { fsPath } from '../../packages/core/dist/host/byte-path.js';
import { setTimes } from '../../packages/core/dist/host/file-times.js';
import { TreeBuilder } from '../../packages/core/dist/testing/tree-builder.js';

/** @typedef {Record<string, unknown>} Expected the facts of one path, as in expected.json */
/** @typedef {{ mode?: number, mtime?: bigint, owner?: readonly [number, number], xattrs?: Record<string, Buffer>, flags?: number }} Extra */

/** 2026-11-01T12:00:00Z; each entry gets some nanoseconds more. */
const SOME_TIME = 1_793_534_400_000_000_000n;
const NODE_KIND = /** @type {const} */ ({
  fifo: constants.S_IFIFO,
  socket: constants.S_IFSOCK,
  'character-device': constants.S_IFCHR,
  'block-device': constants.S_IFBLK,
});

/** A byte string as text: bytes that are not UTF-8, and `%`, as %XX. @param {string} bytes one character, one byte */
export function pathText(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find((count) => {
      const part = Buffer.from(bytes.slice(at, at + count), 'latin1');
      return part.length === count && Buffer.from(part.toString()).equals(part);
    });
    const part = Buffer.from(bytes.slice(at, at + (length ?? 1)), 'latin1');
    text += length === undefined || part[0] === 0x25 ? `%${part.toString('hex').toUpperCase()}` : part.toString();
    at += length ?? 1;
  }
  return text;
}

/**
 * Makes a tree of files and says at the same time what has to come out of an archive of it: from what was asked for, not from
 * what any program reads. Names are byte strings below the root.
 */
export class Source {
  /** @type {Record<string, Expected>} */
  expected = {};
  #entries = 0;
  /** @type {(readonly [name: string, mtime: bigint])[]} */
  #times = [];

  /** @param {string} root an absolute path, which is made */
  constructor(root) {
    this.root = root;
    this.tree = new TreeBuilder(root);
  }

  /** @param {string} name */
  pathOf(name) {
    return pathText(name === '' ? this.root : `${this.root}/${name}`);
  }

  /** @param {string} name @param {Expected} facts @param {Extra} extra */
  #note(name, facts, extra) {
    const { mtime = SOME_TIME + BigInt(++this.#entries), mode, owner, xattrs, flags } = extra;
    if (owner !== undefined) this.tree.owner(name, ...owner);
    for (const [attribute, value] of Object.entries(xattrs ?? {})) this.tree.xattr(name, attribute, value);
    if (mode !== undefined) this.tree.mode(name, mode);
    if (flags !== undefined) this.tree.flags(name, flags);
    this.#times.push([name, mtime]);
    this.expected[this.pathOf(name)] = {
      ...facts,
      ...(mode === undefined ? {} : { mode: mode.toString(8).padStart(4, '0') }),
      mtime: String(mtime),
      ...(owner === undefined ? {} : { uid: owner[0], gid: owner[1] }),
      ...(xattrs === undefined ? {} : { xattrs: hexOf(xattrs) }),
      ...(flags === undefined ? {} : { flags }),
    };
  }

  /** @param {string} name @param {Extra} [extra] */
  directory(name, extra = { mode: 0o755 }) {
    this.tree.directory(name);
    this.#note(name, { kind: 'directory' }, extra);
  }

  /** @param {string} name @param {string | Uint8Array} content @param {Extra} [extra] */
  file(name, content, extra = { mode: 0o644 }) {
    this.tree.file(name, content);
    const bytes = Buffer.from(content);
    this.#note(name, { kind: 'file', size: bytes.length, sha256: sha256(bytes), holes: [] }, extra);
  }

  /** @param {string} name @param {string} target @param {Extra} [extra] */
  symlink(name, target, extra = {}) {
    this.tree.symlink(name, target);
    this.#note(name, { kind: 'symlink', target: pathText(target) }, extra);
  }

  /** A second name of a file that is there. @param {string} name @param {string} existing */
  hardLink(name, existing) {
    this.tree.hardLink(name, existing);
    this.expected[this.pathOf(name)] = { ...this.expected[this.pathOf(existing)], link: this.pathOf(existing) };
  }

  /**
   * A file with data in blocks of 4 KiB and holes between.
   * @param {string} name @param {number} size @param {readonly (readonly [offset: number, length: number])[]} data
   */
  sparseFile(name, size, data) {
    this.tree.sparseFile(name, size, data);
    /** @type {[number, number][]} */
    const holes = [];
    let end = 0;
    for (const [offset, length] of [...data, /** @type {const} */ ([size, 0])]) {
      if (offset > end) holes.push([end, offset - end]);
      end = offset + length;
    }
    this.#note(name, { kind: 'file', size, holes }, { mode: 0o600 });
  }

  /** @param {string} name @param {keyof typeof NODE_KIND} kind @param {readonly [major: number, minor: number]} [device] */
  node(name, kind, device) {
    const number = device && { major: device[0], minor: device[1] };
    if (!this.tree.node(name, NODE_KIND[kind] | 0o640, number)) throw new Error(`no ${kind}: run this as root`);
    this.#note(name, { kind, device: device ?? null }, { mode: 0o640 });
  }

  /** Takes a file away again. @param {string} name */
  remove(name) {
    unlinkSync(fsPath(this.tree.path(name)));
    this.#times = this.#times.filter(([other]) => other !== name);
    delete this.expected[this.pathOf(name)];
  }

  /** Sets all times, directories after what is in them; throws when something could not be made. */
  finish() {
    if (this.tree.skipped.length > 0) throw new Error(`not made: ${this.tree.skipped.join(', ')}`);
    for (const [name, mtime] of this.#times.toReversed()) setTimes(this.tree.path(name), { mtimeNs: mtime });
    const seconds = Number(SOME_TIME / 1_000_000_000n);
    utimesSync(this.root, seconds, seconds);
    if (!lstatSync(fsPath(this.root)).isDirectory()) throw new Error(`${this.root} is no directory`);
  }
}

/** @param {Uint8Array} bytes */
export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** @param {Record<string, Buffer>} xattrs */
const hexOf = (xattrs) =>
  Object.fromEntries(Object.entries(xattrs).map(([name, value]) => [pathText(name), value.toString('hex')]));
