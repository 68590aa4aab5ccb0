// @ts-check
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** @typedef {{ file: string, line: number, message: string }} Finding */
/** @typedef {{ name: string, check: (project: Project) => Finding[] }} Rule */

const FOLDERS = ['packages', 'scripts', 'bench', 'testkit'];
const LEFT_OUT = new Set(['node_modules', 'dist', 'build', '.turbo', 'coverage', 'data']);

/** The project's own sources and pages, read once. Paths are relative to the root, with `/`. */
export class Project {
  /**
   * @param {ReadonlyMap<string, string>} files path → text
   * @param {(name: string) => boolean} exists whether a file or folder is there, read or not
   */
  constructor(files, exists = (name) => files.has(name)) {
    this.files = files;
    this.exists = exists;
  }

  /** @param {string} root */
  static read(root) {
    /** @type {Map<string, string>} */
    const files = new Map();
    /** @param {string} folder @param {RegExp} wanted */
    const take = (folder, wanted) => {
      const entries = readdirSync(path.join(root, folder), { withFileTypes: true });
      for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
        const name = `${folder}/${entry.name}`;
        if (entry.isDirectory() && !LEFT_OUT.has(entry.name)) take(name, wanted);
        else if (entry.isFile() && wanted.test(entry.name))
          files.set(name, readFileSync(path.join(root, name), 'utf8'));
      }
    };
    for (const folder of FOLDERS) {
      if (existsSync(path.join(root, folder))) take(folder, /\.(?:ts|tsx|mjs|py|sh)$|^package\.json$/);
    }
    if (existsSync(path.join(root, 'docs'))) take('docs', /\.md$/);
    const atTop = readdirSync(root).filter((name) => name.endsWith('.md'));
    for (const name of [...atTop, 'package.json', 'package-lock.json', '.npmrc']) {
      if (existsSync(path.join(root, name))) files.set(name, readFileSync(path.join(root, name), 'utf8'));
    }
    return new Project(files, (name) => existsSync(path.join(root, name)));
  }

  /** @param {RegExp} pattern @returns {[file: string, text: string][]} */
  matching(pattern) {
    return [...this.files].filter(([file]) => pattern.test(file));
  }
}
