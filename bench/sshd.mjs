// @ts-check
/** OpenSSH's own server for a benchmark: on a loopback port, with keys that are thrown away. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { freePort } from '../packages/core/dist/testing/free-port.js';

const MAIN = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));

/** @typedef {{ port: number, options: string[], end: () => Promise<void> }} Sshd `options`: of ssh, to reach it and trust it */

/** @param {string} directory an empty one, for its keys and settings @returns {Promise<Sshd>} */
export async function startSshd(directory) {
  const at = (/** @type {string} */ name) => path.join(directory, name);
  for (const key of ['host', 'client']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(key)]);
  }
  const port = await freePort();
  mkdirSync(at('bin'));
  writeFileSync(at('bin/cairn'), `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  chmodSync(at('bin/cairn'), 0o755);
  writeFileSync(at('known_hosts'), `bench ${readFileSync(at('host.pub'), 'utf8')}`);
  const settings = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${at('host')}`,
    `AuthorizedKeysFile ${at('client.pub')}`,
    `PidFile ${at('pid')}`,
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin yes',
    'Subsystem sftp internal-sftp',
    `SetEnv PATH=${at('bin')}:/usr/local/bin:/usr/bin:/bin`,
  ];
  writeFileSync(at('sshd_config'), settings.join('\n'));
  mkdirSync('/run/sshd', { recursive: true });
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', at('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  await once(child.stderr, 'data');
  const known = ['-o', `UserKnownHostsFile=${at('known_hosts')}`, '-o', 'HostKeyAlias=bench'];
  return {
    port,
    options: ['-F', '/dev/null', '-i', at('client'), '-o', 'IdentitiesOnly=yes', ...known],
    end: async () => {
      const exited = once(child, 'exit');
      child.kill();
      await exited;
    },
  };
}
