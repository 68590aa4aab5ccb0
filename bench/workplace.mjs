// @ts-check
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { measure, storedBytes } from './measure.mjs';
import { operations } from './plan.mjs';
import { passwordText } from './tools.mjs';

/** @typedef {import('./measure.mjs').Measurement} Measurement */
/** @typedef {import('./plan.mjs').Operation} Operation */
/** @typedef {import('./tools.mjs').Place} Place */
/** @typedef {import('./tools.mjs').Program} Program */

/** One program with its own fresh repository and caches, for one round. */
export class Workplace {
  /**
   * @param {Program} program
   * @param {string} base emptied first
   * @param {string} source the directory to back up
   * @param {string} oneFile relative to the source
   */
  constructor(program, base, source, oneFile) {
    this.program = program;
    this.base = base;
    this.backups = 0;
    /** @type {Place} */
    this.place = {
      repository: path.join(base, 'repository'),
      state: path.join(base, 'state'),
      temporary: path.join(base, 'temporary'),
      password: path.join(base, 'state', 'password'),
      source,
      oneFile: path.join(source, oneFile),
      archive: '',
      target: path.join(base, 'target'),
    };
    this.remove();
    mkdirSync(path.join(this.place.state, 'home'), { recursive: true });
    mkdirSync(this.place.temporary);
    writeFileSync(this.place.password, passwordText, { mode: 0o600 });
    for (const command of program.create(this.place)) measure(command, base);
  }

  /**
   * Runs one operation and checks that a restore brought the one file back.
   * @param {Operation} operation
   * @returns {Measurement}
   */
  perform(operation) {
    const { place, program } = this;
    if (operations[operation].backup) {
      this.backups += 1;
      place.archive = `backup-${this.backups}`;
    }
    const restores = operation === 'restore' || operation === 'restore-one';
    if (restores) mkdirSync(place.target);
    const measurement = measure(program.command(operation, place), this.base);
    if (restores) this.assertRestored();
    return measurement;
  }

  /** Rejects when the file that every restore includes is missing or different. */
  assertRestored() {
    const file = this.program.restored(this.place, this.place.oneFile);
    if (!existsSync(file)) throw new Error(`${this.program.label} did not restore ${this.place.oneFile}`);
    if (!readFileSync(file).equals(readFileSync(this.place.oneFile))) {
      throw new Error(`${this.program.label} restored ${this.place.oneFile} with other content`);
    }
  }

  /** Rejects when the restored tree differs from the source in names, types of files, links or content. */
  assertSameTree() {
    const restored = this.program.restored(this.place, this.place.source);
    const diff = spawnSync('diff', ['-r', '--no-dereference', this.place.source, restored], { encoding: 'utf8' });
    if (diff.error) throw diff.error;
    if (diff.status !== 0) {
      throw new Error(
        `${this.program.label}: diff -r found differences\n${(diff.stdout + diff.stderr).slice(0, 2000)}`,
      );
    }
  }

  clearTarget() {
    rmSync(this.place.target, { recursive: true, force: true });
  }

  /** @returns {number} bytes of the repository */
  stored() {
    return storedBytes(this.place.repository);
  }

  remove() {
    rmSync(this.base, { recursive: true, force: true });
  }
}
