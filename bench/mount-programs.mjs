// @ts-check
/** The programs that mount, each with the repository that is mounted: of this machine, or the same one through ssh. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {{ name: string, version: string[], prepare: (source: string, archives: number) => void, mount: (target: string) => string[], env: Record<string, string> }} Program */

const MAIN = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));
const PASSPHRASE = 'benchmark';

/** What a command prints. @param {string} command @param {readonly string[]} args @param {Record<string, string>} [env] */
export function run(command, args, env = {}) {
  const done = spawnSync(command, args, { env: { PATH: process.env['PATH'] ?? '', ...env }, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${done.status}: ${done.stderr}`);
  return done.stdout;
}

/** @param {number} archives @param {(i: number) => void} make */
function times(archives, make) {
  for (let i = 0; i < archives; i++) make(i);
}

/**
 * Those that are installed, Cairn first. Repositories are made in `base` without ssh, whatever way they are mounted.
 * @param {string} base @param {import('./sshd.mjs').Sshd} [sshd] what to go through; restic does it by sftp
 * @returns {Program[]}
 */
export function mountPrograms(base, sshd) {
  const home = path.join(base, 'home');
  mkdirSync(home, { recursive: true });
  const at = (/** @type {string} */ name) => path.join(base, name);
  const { username } = userInfo();
  const ssh = sshd === undefined ? '' : [...sshd.options, '-p', String(sshd.port)].join(' ');
  /** @param {string} name */
  const through = (name) => (sshd === undefined ? at(name) : `ssh://${username}@127.0.0.1:${sshd.port}${at(name)}`);
  const cairn = { HOME: home };
  const borg = {
    HOME: home,
    BORG_PASSPHRASE: PASSPHRASE,
    BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
    BORG_BASE_DIR: home,
  };
  const restic = { HOME: home, RESTIC_PASSWORD: PASSPHRASE };
  const sftp = sshd === undefined ? [] : ['-o', `sftp.command=ssh ${ssh} -l ${username} 127.0.0.1 -s sftp`];
  /** @type {Program[]} */
  const all = [
    {
      name: 'cairn',
      version: [process.execPath, MAIN, '--version'],
      env: { ...cairn, CAIRN_REPOSITORY: through('cairn'), ...(sshd === undefined ? {} : { CAIRN_SSH_OPTIONS: ssh }) },
      prepare: (source, archives) => {
        const env = { ...cairn, CAIRN_REPOSITORY: at('cairn') };
        run(process.execPath, [MAIN, 'init'], env);
        times(archives, () => run(process.execPath, [MAIN, 'backup', source], env));
      },
      mount: (target) => [process.execPath, MAIN, 'mount', '--all', target, '--foreground'],
    },
    {
      name: 'borg',
      version: ['borg', '--version'],
      env: { ...borg, ...(sshd === undefined ? {} : { BORG_RSH: `ssh ${ssh}` }) },
      prepare: (source, archives) => {
        const env = { ...borg, BORG_REPO: at('borg') };
        run('borg', ['init', '-e', 'repokey'], env);
        times(archives, (i) => run('borg', ['create', `::a-${String(i).padStart(4, '0')}`, source], env));
      },
      mount: (target) => ['borg', 'mount', '--foreground', through('borg'), target],
    },
    {
      name: 'restic',
      version: ['restic', 'version'],
      env: {
        ...restic,
        RESTIC_REPOSITORY: sshd === undefined ? at('restic') : `sftp:${username}@127.0.0.1:${at('restic')}`,
      },
      prepare: (source, archives) => {
        const env = { ...restic, RESTIC_REPOSITORY: at('restic') };
        run('restic', ['init'], env);
        times(archives, () => run('restic', ['backup', source], env));
      },
      mount: (target) => ['restic', ...sftp, 'mount', target],
    },
  ];
  return all.filter(({ name }) => name === 'cairn' || spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);
}

/**
 * Where the newest archive's source is below a mount.
 * @param {Program} program @param {string} target @param {string} source
 */
export function sourceIn({ name }, target, source) {
  const script = {
    cairn: 'ls -d "$1"/*/latest',
    borg: 'ls -d "$1"/* | tail -1',
    restic: 'ls -d "$1"/snapshots/latest',
  }[name];
  return run('bash', ['-c', script ?? 'false', 'bash', target]).trim() + source;
}
