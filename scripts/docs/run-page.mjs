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
 * Runs a page's blocks in a home directory of their own, with `cairn` in PATH and no terminal.
 *
 * @param {string} root of the checkout, built
 * @param {readonly Block[]} blocks
 * @returns {{ failed: number | undefined, output: string }} which block failed, by its index, and all that was printed
 */
export function runPage(root, blocks) {
  const scratch = mkdtempSync(path.join(tmpdir(), 'cairn-docs-'));
  try {
    const at = (/** @type {string[]} */ ...names) => path.join(scratch, ...names);
    for (const folder of ['home', 'bin', 'tmp', 'programs/node_modules/@cairn'])
      mkdirSync(at(folder), { recursive: true });
    chmodSync(at('home'), 0o700);
    const cairn = path.join(root, 'packages', 'cli', 'dist', 'main.js');
    writeFileSync(at('bin', 'cairn'), `#!/bin/sh\nexec '${process.execPath}' '${cairn}' "$@"\n`, { mode: 0o755 });
    symlinkSync(path.join(root, 'packages', 'core'), at('programs', 'node_modules', '@cairn', 'core'));
    writeFileSync(at('script'), scriptOf(blocks, { checkout: root }));

    const progress = openSync(at('progress'), 'w');
    const output = openSync(at('output'), 'w');
    const { status } = spawnSync('bash', [at('script')], {
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
