// @ts-check
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {import('./measure.mjs').Command} Command */
/** @typedef {import('./plan.mjs').Operation} Operation */
/** Where one program works: its own repository and state, nothing shared with another program.
 * @typedef {object} Place
 * @property {string} repository
 * @property {string} state caches, configuration, key files and HOME of this program
 * @property {string} temporary
 * @property {string} password a file that holds the password
 * @property {string} source the directory to back up, absolute
 * @property {string} oneFile the file to restore alone, absolute
 * @property {string} archive the name for a new backup; otherwise the newest archive
 * @property {string} target an empty directory to restore into */
/** @typedef {object} Program
 * @property {string} name as given to --programs
 * @property {string} label as shown in the report
 * @property {boolean} peer
 * @property {string[]} version a command that prints it
 * @property {string} [mode] a choice among the program's own modes, for the report
 * @property {string | undefined} missing why it cannot run here
 * @property {(place: Place) => Command[]} create makes the repository
 * @property {(operation: Operation, place: Place) => Command} command
 * @property {(place: Place, file: string) => string} restored where a file of the source is after a restore */

const passwordText = 'a password used for benchmarks only';
export { passwordText };

/** @param {string} file @returns {string} as borg and restic place it below the target of a restore */
const withoutRoot = (file) => path.relative('/', file);

/** @param {Place} place @returns {Record<string, string>} an environment with nothing of the caller's in it but PATH */
function cleanEnvironment(place) {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    HOME: path.join(place.state, 'home'),
    TMPDIR: place.temporary,
    XDG_CACHE_HOME: path.join(place.state, 'cache'),
    XDG_CONFIG_HOME: path.join(place.state, 'config'),
    XDG_STATE_HOME: path.join(place.state, 'state'),
  };
}

/** @param {string} program @returns {string | undefined} */
function whyMissing(program) {
  if (path.isAbsolute(program)) return existsSync(program) ? undefined : `${program} does not exist`;
  const found = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0;
  return found ? undefined : `${program} is not installed`;
}

/**
 * Borg with its default options and, when given, another compression.
 * @param {{ compression?: string, root: string | undefined, encryption: string }} options
 *   `root`: a directory to chroot into, where the benchmark's directory is mounted at its own path
 * @returns {Program}
 */
export function borg({ compression, root, encryption }) {
  const prefix = root === undefined ? [] : ['chroot', root];
  /** @param {Place} place @param {string[]} args @param {string} [cwd] @returns {Command} */
  const run = (place, args, cwd = place.state) => ({
    // chroot leaves its caller in the new root, hence env -C.
    argv: [...prefix, ...(root === undefined ? ['borg'] : ['env', '-C', cwd, 'borg']), ...args],
    cwd,
    env: {
      ...cleanEnvironment(place),
      BORG_PASSPHRASE: passwordText,
      BORG_BASE_DIR: path.join(place.state, 'borg'),
    },
  });
  const compressing = compression === undefined ? [] : ['--compression', compression];
  /** @type {Program['command']} */
  const command = (operation, place) => {
    const { repository } = place;
    const archive = `${repository}::${place.archive}`;
    switch (operation) {
      case 'first':
      case 'unchanged':
      case 'unchanged-passphrase':
      case 'changed':
      case 'inserted':
        return run(place, ['create', ...compressing, archive, place.source]);
      case 'restore':
        return run(place, ['extract', archive], place.target);
      case 'restore-one':
        return run(place, ['extract', archive, withoutRoot(place.oneFile)], place.target);
      case 'list':
        return run(place, ['list', repository]);
      case 'ls':
        // Names only, as the others print; the default also formats owners, sizes and times.
        return run(place, ['list', '--short', archive]);
      case 'check':
        return run(place, ['check', repository]);
      case 'check-data':
        return run(place, ['check', '--verify-data', repository]);
    }
  };
  return {
    name: compression === undefined ? 'borg' : `borg-${compression.replace(',', '')}`,
    label: compression === undefined ? 'borg' : `borg ${compression}`,
    peer: true,
    version: [...prefix, 'borg', '--version'],
    mode: encryption,
    missing: whyMissing(root === undefined ? 'borg' : path.join(root, 'usr/bin/borg')),
    create: (place) => [run(place, ['init', '--encryption', encryption, place.repository])],
    command,
    restored: (place, file) => path.join(place.target, withoutRoot(file)),
  };
}

/**
 * Restic with its default options.
 * @param {string} program
 * @returns {Program}
 */
export function restic(program) {
  /** @param {Place} place @param {string[]} args @returns {Command} */
  const run = (place, args) => ({
    argv: [program, ...args],
    cwd: place.state,
    env: {
      ...cleanEnvironment(place),
      RESTIC_REPOSITORY: place.repository,
      RESTIC_PASSWORD_FILE: place.password,
      RESTIC_CACHE_DIR: path.join(place.state, 'restic'),
    },
  });
  /** @type {Program['command']} */
  const command = (operation, place) => {
    switch (operation) {
      case 'first':
      case 'unchanged':
      case 'unchanged-passphrase':
      case 'changed':
      case 'inserted':
        return run(place, ['backup', place.source]);
      case 'restore':
        return run(place, ['restore', 'latest', '--target', place.target]);
      case 'restore-one':
        return run(place, ['restore', 'latest', '--target', place.target, '--include', place.oneFile]);
      case 'list':
        return run(place, ['snapshots']);
      case 'ls':
        return run(place, ['ls', 'latest']);
      case 'check':
        return run(place, ['check']);
      case 'check-data':
        return run(place, ['check', '--read-data']);
    }
  };
  return {
    name: 'restic',
    label: 'restic',
    peer: true,
    version: [program, 'version'],
    missing: whyMissing(program),
    create: (place) => [run(place, ['init'])],
    command,
    restored: (place, file) => path.join(place.target, withoutRoot(file)),
  };
}

/**
 * Cairn as built in this repository. All its command lines are here.
 * @returns {Program}
 */
export function cairn() {
  const main = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));
  const series = 'bench';
  /** @param {Place} place */
  const keyFile = (place) => path.join(place.state, 'root.key');
  /** @param {Place} place @param {string[]} args @returns {Command} */
  const plain = (place, args) => ({
    argv: [process.execPath, main, ...args],
    cwd: place.state,
    env: cleanEnvironment(place),
  });
  /** @param {Place} place @param {string[]} args @returns {Command} */
  const run = (place, args) => plain(place, ['-r', place.repository, '--key-file', keyFile(place), ...args]);
  /** @type {Program['command']} */
  const command = (operation, place) => {
    switch (operation) {
      case 'first':
      case 'unchanged':
      case 'changed':
      case 'inserted':
        return run(place, ['backup', '--series', series, place.source]);
      case 'unchanged-passphrase': {
        const unlock = ['-r', place.repository, '--passphrase-file', place.password];
        return plain(place, [...unlock, 'backup', '--series', series, place.source]);
      }
      case 'restore':
        return run(place, ['restore', 'latest', '--to', place.target]);
      case 'restore-one':
        return run(place, ['restore', 'latest', '--to', place.target, place.oneFile]);
      case 'list':
        return run(place, ['list']);
      case 'ls':
        return run(place, ['ls', 'latest']);
      case 'check':
        return run(place, ['check']);
      case 'check-data':
        return run(place, ['check', '--data']);
    }
  };
  return {
    name: 'cairn',
    label: 'Cairn',
    peer: false,
    version: [process.execPath, main, '--version'],
    missing: existsSync(main) ? undefined : 'it is not built (npm run build)',
    create: (place) => [
      plain(place, ['init', '-r', place.repository, '--key-file', keyFile(place)]),
      run(place, ['key', 'slot', 'add', '--new-passphrase-file', place.password]),
    ],
    command,
    restored: (place, file) => {
      const below = [
        withoutRoot(file),
        path.relative(place.source, file),
        path.relative(path.dirname(place.source), file),
      ];
      const candidates = below.map((one) => path.join(place.target, one));
      return candidates.find((one) => existsSync(one)) ?? path.join(place.target, withoutRoot(file));
    },
  };
}
