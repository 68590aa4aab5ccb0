import { lstatSync, rmdirSync, unlinkSync } from 'node:fs';
import { fsPath } from '../host/byte-path.ts';
import type { ByteString } from '../host/byte-path.ts';
import { DirectoryCursor } from './directory-cursor.ts';

/** Removes a directory with all that is in it, at any depth and with any names, which `fs.rmSync` does not. */
export function removeTree(directory: ByteString): void {
  const cursor = new DirectoryCursor(directory);
  try {
    const pending = [cursor.list()];
    for (let names = pending.at(-1); names !== undefined; names = pending.at(-1)) {
      const name = names.pop();
      if (name === undefined) {
        pending.pop();
        const left = cursor.leave();
        if (left !== undefined) rmdirSync(fsPath(cursor.path(left)));
      } else if (lstatSync(fsPath(cursor.path(name))).isDirectory()) {
        cursor.enter(name);
        pending.push(cursor.list());
      } else {
        unlinkSync(fsPath(cursor.path(name)));
      }
    }
  } finally {
    cursor.close();
  }
  rmdirSync(fsPath(directory));
}
