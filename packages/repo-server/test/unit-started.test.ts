import { compareTrees, makeHardTree } from '@cairn/core/testing';
import { execFileSync } from 'node:child_process';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { writeFiles } from './support/backups.ts';
import { CairnMachine, JOB_NAMES } from './support/cairn-machine.ts';
import { CAIRN_USER } from './support/systemd-files.ts';

const CAIRN = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));

/** What would be in the words of a program, or of systemd, when something was denied. */
const DENIED =
  /EPERM|EACCES|EROFS|ENOSYS|EAFNOSUPPORT|SIGSYS|31\/SYS|dumped|not permitted|denied|not implemented|read-only/i;

const DAY_MS = 86_400_000;

const lacking = await CairnMachine.lacking();
const title = lacking === undefined ? 'systemd, with the units' : `systemd, with the units: left out, for ${lacking}`;

/**
 * The units that are shipped, and those that `cairn job install` writes, started by systemd itself. Each test goes on with the machine as
 * the one before it left it. Not proved: limits of memory and of tasks, for the groups of processes of a test need not have the controllers
 * for them.
 */
describe.skipIf(lacking !== undefined)(title, () => {
  let machine: CairnMachine;
  let booted: string;

  const denials = (): readonly string[] =>
    machine
      .journal()
      .split('\n')
      .filter((line) => DENIED.test(line));

  beforeAll(async () => {
    machine = new CairnMachine();
    machine.configure();
    writeFiles(machine.path(machine.sourceOf('far')), 20, 300_000);
    makeHardTree(machine.path(machine.sourceOf('near')), { small: true, entries: 20 });
    booted = await machine.boot();
  });

  afterAll(async () => await machine[Symbol.asyncDispose]());

  it('starts the server, which takes backups and gives them back', () => {
    expect(booted).toBe('running');
    machine.startServer();
    machine.backUp();
    expect(machine.differencesOfFar()).toEqual([]);
    expect(machine.isActive('cairn-server')).toBe(true);
  });

  it('puts the server into a world as the unit says', () => {
    const pid = machine.property('cairn-server', 'MainPID');
    const status = machine.good(['cat', `/proc/${pid}/status`]);
    const none = ['CapEff', 'CapPrm', 'CapBnd', 'CapAmb'].map((set) => `${set}:\t0000000000000000`);
    // 2: calls are filtered (proc_pid_status(5)).
    for (const line of [...none, 'NoNewPrivs:\t1', 'Seccomp:\t2', `Uid:\t${CAIRN_USER}\t`])
      expect(status).toContain(line);
    const mounts = machine.good(['cat', `/proc/${pid}/mounts`]).split('\n');
    const accessTo = (path: string): string | undefined =>
      mounts
        .findLast((line) => line.split(' ')[1] === path)
        ?.split(' ')[3]
        ?.split(',')[0];
    for (const path of ['/', '/usr', '/etc', '/var', '/srv', '/sys', '/sys/fs/cgroup', '/dev', '/root', '/home']) {
      expect([path, accessTo(path)]).toEqual([path, 'ro']);
    }
    for (const path of ['/srv/backup', '/var/lib/cairn-server', '/tmp', '/var/tmp']) {
      expect([path, accessTo(path)]).toEqual([path, 'rw']);
    }
  });

  it('starts the server again after it was killed', async () => {
    machine.systemctl('kill', '--signal=KILL', 'cairn-server');
    await machine.until(
      () => machine.property('cairn-server', 'NRestarts') === '1' && machine.isActive('cairn-server'),
    );
    expect(machine.differencesOfFar()).toEqual([]);
  });

  it('starts the panel, which answers', async () => {
    machine.startPanel();
    await machine.until(() => machine.panelAnswers());
    expect(machine.journal('cairn-panel')).toContain('/#/setup/cairn_');
  });

  it('runs jobs as they are installed', () => {
    for (const name of JOB_NAMES) {
      machine.cairn('job', 'install', name);
      const before = machine.archivesOf(name);
      machine.systemctl('start', `cairn-job-${name}.service`);
      expect(machine.archivesOf(name)).toBe(before + 1);
      expect(machine.journal(`cairn-job-${name}`)).toContain(`cairn-job-${name}[`);
      expect(machine.isActive(`cairn-job-${name}.timer`)).toBe(true);
    }
  });

  it('lets a job see everything, with all its attributes', () => {
    const env = { PATH: process.env['PATH'], HOME: machine.path('root') };
    const key = ['--key-file', machine.path('root/near.key')];
    const how = ['--to', machine.path('root/near'), '--privileged', '--numeric-owner'];
    execFileSync(process.execPath, [CAIRN, 'restore', 'latest', '-r', machine.path('srv/near'), ...key, ...how], {
      env,
    });
    const source = machine.sourceOf('near');
    expect(compareTrees(machine.path(source), machine.path(`root/near${source}`))).toEqual([]);
    // The same unit with another command: nothing is hidden from it but messages of the kernel and what systemd hides from everybody.
    const unit = readFileSync(machine.path('etc/systemd/system/cairn-job-near.service'), 'utf8');
    const shown = unit.replace(/^ExecStart=.*$/m, 'ExecStart=/bin/cat /proc/self/mountinfo');
    writeFileSync(machine.path('etc/systemd/system/shown.service'), shown);
    machine.systemctl('daemon-reload');
    machine.systemctl('start', 'shown.service');
    const mounts = machine.journal('shown').matchAll(/ (\/systemd\/inaccessible\/\S+) (\/\S+) /g);
    expect([...mounts].map(([, , path]) => path).toSorted()).toEqual(['/proc/kmsg', '/run/credentials']);
  });

  it('filters no call that is made: one would end the program here', () => {
    const units = ['cairn-server', ...JOB_NAMES.map((name) => `cairn-job-${name}`)].map((name) => `${name}.service`);
    for (const unit of units) machine.edit(unit, '[Service]\nSystemCallErrorNumber=kill\n');
    machine.systemctl('daemon-reload');
    machine.systemctl('restart', 'cairn-server');
    machine.backUp();
    expect(machine.differencesOfFar()).toEqual([]);
    for (const name of JOB_NAMES) machine.systemctl('start', `cairn-job-${name}.service`);
    expect(machine.property('cairn-server', 'NRestarts')).toBe('0');
    expect(denials()).toEqual([]);
  });

  it('stops the server while somebody is connected', () => {
    const connect = '(sleep 60 | openssl s_client -connect localhost:8390 -alpn h2) >/dev/null 2>&1 &';
    // 20C6 is 8390, 01 a connection (proc_pid_net(5)).
    const connected = "until grep -q ' [0-9A-F]*:20C6 01 ' /proc/net/tcp; do sleep 0.1; done";
    machine.good(['sh', '-c', `${connect} ${connected}`]);
    const before = Date.now();
    machine.systemctl('stop', 'cairn-server');
    expect(Date.now() - before).toBeLessThan(15_000);
    expect(machine.property('cairn-server', 'Result')).toBe('success');
    expect(machine.property('cairn-server', 'ExecMainStatus')).toBe('0');
  });

  it('has all of it again after a boot, and catches up with runs that were missed', async () => {
    const before = [machine.archivesOf('near')];
    expect(denials()).toEqual([]);
    await machine.powerOff();
    const then = new Date(Date.now() - 3 * DAY_MS);
    for (const name of JOB_NAMES) {
      utimesSync(machine.path(`var/lib/systemd/timers/stamp-cairn-job-${name}.timer`), then, then);
    }
    expect(await machine.boot()).toBe('running');
    for (const unit of ['cairn-server.service', 'cairn-panel.service']) expect(machine.isActive(unit)).toBe(true);
    for (const name of JOB_NAMES) {
      await machine.until(() => machine.property(`cairn-job-${name}`, 'ExecMainExitTimestamp') !== '');
      expect(machine.property(`cairn-job-${name}`, 'Result')).toBe('success');
      expect(machine.isActive(`cairn-job-${name}.timer`)).toBe(true);
    }
    expect([machine.archivesOf('near')]).toEqual(before.map((count) => count + 1));
    expect(machine.differencesOfFar()).toEqual([]);
    await machine.until(() => machine.panelAnswers());
    expect(denials()).toEqual([]);
  });

  it('runs the service for all jobs, and takes units away', () => {
    machine.cairn('job', 'uninstall', 'far');
    machine.cairn('job', 'install', '--daemon');
    expect(machine.isActive('cairn-jobs.service')).toBe(true);
    machine.cairn('job', 'uninstall', '--daemon');
    for (const unit of ['cairn-jobs.service', 'cairn-job-far.timer']) expect(machine.isActive(unit)).toBe(false);
  });
});
