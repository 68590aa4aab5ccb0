// @ts-check
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { scriptOf } from './blocks.mjs';

/** @import { Block } from './blocks.mjs' */

const PAGE_MS = 5 * 60_000;

/**
 * A machine of its own for pages that set one up, as root: what they change under these folders is in memory and gone
 * afterwards, and so are their processes; no port is taken. Takes root and a kernel that allows it.
 */
const SANDBOX = `
mount -t tmpfs sandbox /mnt
for folder in etc srv var root home usr/local; do
  mkdir -p /mnt/new/$folder /mnt/work/$folder
  mount -t overlay overlay -o lowerdir=/$folder,upperdir=/mnt/new/$folder,workdir=/mnt/work/$folder /$folder
done
mount -t tmpfs run /run
ip link set lo up
exec bash "$0"
`;
const UNSHARED = [
  '--mount',
  '--pid',
  '--net',
  '--uts',
  '--fork',
  '--kill-child',
  '--mount-proc',
  '--propagation',
  'private',
];

/**
 * Runs a page's blocks in a home directory of their own, with `cairn` in PATH and no terminal.
 *
 * @param {string} root of the checkout, built
 * @param {readonly Block[]} blocks
 * @param {boolean} sandboxed on a machine of its own
 * @returns {{ failed: number | undefined, output: string }} which block failed, by its index, and all that was printed
 */
export function runPage(root, blocks, sandboxed = false) {
  const scratch = mkdtempSync(path.join(tmpdir(), 'cairn-docs-'));
  try {
    const at = (/** @type {string[]} */ ...names) => path.join(scratch, ...names);
    for (const folder of ['home', 'bin', 'tmp', 'programs/node_modules/@cairn'])
      mkdirSync(at(folder), { recursive: true });
    chmodSync(at('home'), 0o700);
    const cairn = path.join(root, 'packages', 'cli', 'dist', 'main.js');
    writeFileSync(at('bin', 'cairn'), `#!/bin/sh\nexec '${process.execPath}' '${cairn}' "$@"\n`, { mode: 0o755 });
    const server = path.join(root, 'packages', 'repo-server', 'dist', 'main.js');
    writeFileSync(at('bin', 'cairn-server'), `#!/bin/sh\nexec '${process.execPath}' '${server}' "$@"\n`, {
      mode: 0o755,
    });
    symlinkSync(path.join(root, 'packages', 'core'), at('programs', 'node_modules', '@cairn', 'core'));
    writeFileSync(at('script'), scriptOf(blocks, { checkout: root }));

    const progress = openSync(at('progress'), 'w');
    const output = openSync(at('output'), 'w');
    const [program, args] = sandboxed
      ? ['unshare', [...UNSHARED, 'sh', '-ec', SANDBOX, at('script')]]
      : ['bash', [at('script')]];
    const { status } = spawnSync(/** @type {string} */ (program), /** @type {string[]} */ (args), {
      cwd: at('home'),
      env: {
        HOME: at('home'),
        PATH: [
          at('bin'),
          path.dirname(process.execPath),
          '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        ].join(':'),
        LANG: 'C.UTF-8',
        TMPDIR: at('tmp'),
        USER: 'anna',
        CAIRN_PROGRAMS: at('programs'),
        CAIRN_CHECKOUT: root,
      },
      // Output goes to a file: a program that a page leaves behind, like gpg-agent, would keep a pipe open.
      stdio: ['ignore', output, output, progress],
      timeout: PAGE_MS,
      killSignal: 'SIGKILL',
    });
    for (const descriptor of [progress, output]) closeSync(descriptor);
    const reached = readFileSync(at('progress'), 'utf8').trim().split('\n').at(-1) ?? '';
    spawnSync('gpgconf', ['--homedir', at('home', '.gnupg'), '--kill', 'all'], { stdio: 'ignore' });
    const finished = reached === 'end' && status === 0;
    return {
      failed: finished ? undefined : Number.parseInt(reached, 10) || 0,
      output: readFileSync(at('output'), 'utf8'),
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
