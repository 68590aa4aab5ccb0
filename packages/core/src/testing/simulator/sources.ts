import {
  mkdirSync,
  mkdtempSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

import { pseudoRandomBytes } from '../pseudo-random.ts';

/** Changes with what is made below, so that no run meets the files of an older version. */
const VERSION = 1;
const DIRECTORIES = 6;
const FILES = 5;
const FILE_BYTES = 3_000;

/**
 * What the simulated clients back up: small directories that never change, from which each backup takes some. They are made once
 * for a machine and stay, in a directory that little else changes: inodes and change times are part of archives, those of the
 * directories above too, and a seed must give the same run again.
 */
export class Sources {
  /** Absolute paths. */
  readonly directories: readonly string[];
  private readonly contents = new Map<string, Buffer>();

  constructor() {
    const place = join(homedir(), '.cache', `cairn-simulator-${VERSION}`);
    if (!existsSync(place)) make(place);
    this.directories = readdirSync(place).map((name) => join(place, name));
    for (const directory of this.directories) {
      for (const name of readdirSync(directory)) {
        this.contents.set(join(directory, name), readFileSync(join(directory, name)));
      }
    }
  }

  /** The files below these directories and what is in them. */
  filesOf(directories: readonly string[]): Map<string, Buffer> {
    return new Map([...this.contents].filter(([path]) => directories.includes(dirname(path))));
  }
}

/** Whole or not at all, also when two processes do it at once. */
function make(place: string): void {
  mkdirSync(dirname(place), { recursive: true });
  const made = mkdtempSync(`${place}-`);
  for (let i = 0; i < DIRECTORIES; i++) {
    const directory = join(made, `directory-${i}`);
    mkdirSync(directory);
    for (let k = 0; k < FILES; k++) {
      // Neighbours have some files in common, so that archives share chunks in many ways.
      const seed = k < 2 ? `common ${(i + k) % DIRECTORIES}` : `${i} ${k}`;
      writeFileSync(join(directory, `file-${k}`), pseudoRandomBytes(seed, FILE_BYTES + 100 * k));
    }
  }
  try {
    renameSync(made, place);
  } catch (error) {
    rmSync(made, { recursive: true });
    if (!existsSync(place)) throw error;
  }
}
