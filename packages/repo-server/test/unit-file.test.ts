import { openHttpStore } from '@cairn/core';
import { spawnBound } from '@cairn/core/testing';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { backUp, makeRepository, restoreDifferences, writeFiles } from './support/backups.ts';
import { ServerPlace } from './support/place.ts';

const UNIT = fileURLToPath(new URL('../systemd/cairn-server.service', import.meta.url));
const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
/** The user that the unit's own stands for here: no machine is changed for a test. */
const NOBODY = 65_534;

/** Values of a directive, in the order of the file. */
function valuesOf(unit: string, directive: string): string[] {
  return [...unit.matchAll(new RegExp(`^${directive}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

/** Why this machine cannot make a world like that of the unit; it takes root, and a container may forbid it. */
function lacking(): string | undefined {
  const { status, stderr } = spawnSync('unshare', ['--mount', '--pid', '--fork', '--mount-proc', 'true'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `unshare does not work here: ${stderr}`;
}

describe('the unit for systemd', () => {
  const unit = readFileSync(UNIT, 'utf8');

  it('is one that systemd takes, and that it calls well protected', () => {
    const directory = mkdtempSync('/var/tmp/cairn-unit-');
    const copy = join(directory, 'cairn-server.service');
    // The program lies where administrators put it, not where tests run.
    writeFileSync(copy, unit.replace('/usr/local/bin/cairn-server', '/bin/true'));
    const verified = spawnSync('systemd-analyze', ['verify', copy], { encoding: 'utf8' });
    if (verified.error !== undefined)
      throw new Error('systemd-analyze is not there; `bash scripts/prepare.sh --tests` installs it');
    expect(verified.stderr).not.toContain('cairn-server');
    expect(verified.status).toBe(0);
    // Tenths of systemd's exposure level, from 0 to 100; its own word up to 20 is OK.
    const secured = spawnSync('systemd-analyze', ['security', '--offline=yes', '--threshold=20', copy], {
      encoding: 'utf8',
    });
    expect(secured.status, secured.stdout).toBe(0);
    rmSync(directory, { recursive: true });
  });

  /**
   * Not by systemd itself, which needs more of a machine (unit-started.test.ts): the same command in a world that is made as the unit says.
   * Proves that the server runs and serves without any right, with a system that is read-only but for its own two folders, without home
   * directories, and with /proc/PID alone.
   */
  it('leaves the server all that it needs', async ({ skip }) => {
    const why = lacking();
    skip(why !== undefined, why);
    for (const [directive, value] of [
      ['ProtectSystem', 'strict'],
      ['ProtectHome', 'yes'],
      ['PrivateTmp', 'yes'],
      ['ProcSubset', 'pid'],
      ['CapabilityBoundingSet', ''],
      ['NoNewPrivileges', 'yes'],
      ['UMask', '0077'],
    ] as const) {
      expect(valuesOf(unit, directive), directive).toEqual([value]);
    }
    const [command = ''] = valuesOf(unit, 'ExecStart');
    const srv = mkdtempSync('/var/tmp/cairn-unit-srv-');
    const place = await ServerPlace.create({ path: join(srv, 'main') });
    const state = join(srv, 'state');
    const config = join(srv, 'server.toml');
    writeFileSync(config, readFileSync(place.config, 'utf8').replace(place.path('state'), state));
    const tokens = {
      admin: await place.token('admin', 'maintain'),
      web: await place.token('web', 'append'),
      read: await place.token('read', 'read'),
    };
    mkdirSync(state);
    writeFileSync(join(state, 'clients.json'), readFileSync(place.path('state', 'clients.json')));
    giveTo(srv);
    chmodSync(config, 0o644);
    const main = command
      .replace('/usr/local/bin/cairn-server', `${process.execPath} /mnt/packages/repo-server/dist/main.js`)
      .replace('/etc/cairn/server.toml', config);
    // The kernel forgets who is to die with whom when the user changes, so setpriv says it again.
    const world = [
      // Before /tmp is hidden, which the checkout may be in.
      `mount --bind '${CHECKOUT}' /mnt`,
      `mount --bind '${srv}' '${srv}'`,
      'mount -o remount,bind,ro / && mount -o remount,bind,ro /mnt',
      `mount -o remount,bind,rw '${srv}'`,
      'for home in /home /root /run/user; do [ ! -d $home ] || mount -t tmpfs -o ro,mode=000 hidden $home; done',
      'mount -t tmpfs private /tmp',
      'mount -t proc -o subset=pid,hidepid=2 proc /proc',
      'cd / && umask 0077',
      `exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all --pdeathsig KILL -- ${main}`,
    ].join('\n');
    const args = ['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private', 'sh', '-ec', world];
    const child = spawnBound('unshare', args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'] },
    });
    let said = '';
    const address = await new Promise<string>((resolve, reject) => {
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const [, found] = /"address":"([^"]+)"/.exec(said) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once('exit', (status) => reject(new Error(`the server ended with ${status}: ${said}`)));
    });
    const keys = await makeRepository(openHttpStore({ address, token: tokens.admin }));
    const source = place.path('source');
    writeFiles(source, 3, 200_000);
    const { id } = await backUp(openHttpStore({ address, token: tokens.web }), keys, source);
    const reader = openHttpStore({ address, token: tokens.read });
    expect(await restoreDifferences(reader, keys, id, source, place.path('restored'))).toEqual([]);
    const status = statusOfServer();
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    for (const set of ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`^${set}:\t0+$`, 'm'));
    expect(status).toMatch(new RegExp(`^Uid:\t${NOBODY}\t`, 'm'));
    await reader[Symbol.asyncDispose]();
    child.kill('SIGKILL');
    await place[Symbol.asyncDispose]();
    rmSync(srv, { recursive: true, force: true });
  });
});

/** Gives a folder, and all that is in it, to the user that the server runs as. */
function giveTo(directory: string): void {
  for (const name of ['', ...readdirSync(directory, { recursive: true, encoding: 'utf8' })]) {
    chownSync(join(directory, name), NOBODY, NOBODY);
  }
}

/** What the kernel says of the server's process (proc_pid_status(5)). */
function statusOfServer(): string {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      if (command[0] === process.execPath && command[1] === '/mnt/packages/repo-server/dist/main.js') {
        return readFileSync(`/proc/${pid}/status`, 'utf8');
      }
    } catch {
      // It ended meanwhile.
    }
  }
  throw new Error('the server does not run');
}
