import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { eventsOf, JobPlace } from './support/job-place.ts';

let jobs: JobPlace;
beforeEach(() => (jobs = new JobPlace()));
afterEach(() => jobs.remove());

const NIGHTLY = '[schedule]\ncron = "30 2 * * *"\ntime-zone = "Europe/Madrid"\n';

describe('cairn job', () => {
  it('lists jobs, and goes on where one cannot be read', () => {
    jobs.job('nightly', NIGHTLY);
    jobs.place.file('jobs/broken.toml', 'nonsense = 1\n');
    jobs.place.file('jobs/README', 'no job');
    const { status, stdout, stderr } = jobs.cairn('job', 'list');
    expect(status).toBe(2);
    expect(stdout).toMatch(/^nightly +30 2 \* \* \* Europe\/Madrid$/m);
    expect(stdout).toMatch(/^broken +cannot be read$/m);
    expect(stderr).toContain('broken.toml, line 1: nonsense');
  });

  it('tells all mistakes with their lines', () => {
    jobs.place.file('jobs/broken.toml', '[repository]\naddress = 3\n[backup]\nsource = []\n');
    const { status, stdout } = jobs.cairn('job', 'validate');
    expect(status).toBe(2);
    expect(stdout).toContain('broken.toml: line 2: repository.address: ');
    expect(stdout).toContain('broken.toml: line 4: backup.source: is nothing that can be set');
    expect(jobs.cairn('job', 'validate', 'absent').status).toBe(15);
    expect(jobs.cairn('job', 'show', 'Big').status).toBe(2);
  });

  it('plans without changing anything: what is in, what is out and why, and what a prune would remove', () => {
    jobs.place.file('source/cache/x', 'x');
    jobs.place.file('source/notes.tmp', 'x');
    const leaveOut = `excludes = ["cache/"]\nexclude-from = ["${jobs.place.file('leave-out', '*.tmp\n')}"]`;
    jobs.job('nightly', '[prune]\nkeep-last = 1\n', leaveOut);
    expect(jobs.run('nightly').status).toBe(0);
    expect(jobs.run('nightly').status).toBe(0);
    jobs.job('nightly', '[prune]\nkeep-last = 1\n[[hooks]]\nwhen = "before"\ncommand = ["false"]\n', leaveOut);
    const before = readdirSync(jobs.place.path('repo/log'));
    const source = jobs.place.path('source');
    const { status, stdout } = jobs.cairn(
      'job',
      'plan',
      'nightly',
      `${source}/cache/x`,
      `${source}/one.txt`,
      '/etc/passwd',
    );
    expect(status).toBe(0);
    expect(stdout).toContain('steps: reachable, space, backup, prune\nhook before-1: before the job\n');
    expect(stdout).toContain(`${source}/cache/x is left out, as ${source}/cache is: rule \`cache/\``);
    expect(stdout).toContain(`${source}/one.txt is taken`);
    expect(stdout).toContain('/etc/passwd is left out: it is in none of the sources');
    expect(stdout).toContain('a backup would take 1 file, 3 B, and leave out 2 entries\n');
    expect(stdout).toContain(`  left out: ${source}/notes.tmp: rule \`*.tmp\``);
    expect(stdout).toContain('a prune would remove 0 of 1 archive\n');
    expect(readdirSync(jobs.place.path('repo/log'))).toEqual(before);
    expect(jobs.archives('nightly')).toHaveLength(1);

    // What cannot be found out is told; the rest is.
    const text = readFileSync(jobs.place.path('jobs/nightly.toml'), 'utf8');
    jobs.place.file('jobs/nightly.toml', text.replace(/address = .*/, 'address = "/nonesuch"'));
    const gone = jobs.cairn('job', 'plan', 'nightly', `${source}/one.txt`);
    expect(gone.status).toBe(10);
    expect(gone.stdout).toContain(`${source}/one.txt is taken`);
    expect(gone.stderr).toContain('/nonesuch');
    expect(jobs.cairn('job', 'plan', 'nightly', '--offline').status).toBe(0);
  });

  it('shows how it stands, and what a run said', () => {
    jobs.job('nightly', `${NIGHTLY}[[hooks]]\nwhen = "before"\ncommand = ["echo", "hello there"]\n`);
    expect(jobs.cairn('job', 'log', 'nightly')).toMatchObject({
      status: 15,
      stderr: expect.stringContaining('the job nightly has not run yet'),
    });
    expect(jobs.cairn('job', 'status').stdout).toMatch(/^nightly +never +never +\d{4}-/m);
    expect(jobs.run('nightly').status).toBe(0);
    expect(jobs.cairn('job', 'status', 'nightly').stdout).toMatch(/^nightly .* success after/m);
    const log = jobs.cairn('job', 'log', 'nightly');
    expect(log.stderr).toContain('hook:before-1: hello there');
    const events = eventsOf(jobs.cairn('job', 'log', 'nightly', '--json').stdout);
    expect(events.at(-1)).toMatchObject({ type: 'ended', status: 'success' });
    const [started] = events;
    const id = started?.type === 'started' ? started.run : '';
    expect(jobs.cairn('job', 'log', id, '--json', '--follow').stdout).toContain('"type":"ended"');
    expect(jobs.cairn('job', 'log', 'absent').status).toBe(15);
    // A year later some hundred runs were missed.
    jobs.becomeOld('nightly');
    const [{ missed }] = JSON.parse(jobs.cairn('job', 'status', '--json').stdout) as [{ missed: number }];
    expect(missed).toBeGreaterThan(100);
    expect(jobs.cairn('run', 'nightly').stderr).toContain('scheduled runs were missed before this one');
  });

  it('installs units that systemd takes, and takes them away', () => {
    jobs.job('nightly', NIGHTLY);
    const units = jobs.place.path('units');
    const printed = jobs.cairn('job', 'install', 'nightly', '--dry-run');
    expect(printed).toMatchObject({ status: 0 });
    expect(existsSync(units)).toBe(false);
    expect(jobs.cairn('job', 'install', 'nightly', '--unit-directory', units).status).toBe(0);
    const names = ['cairn-job-nightly.service', 'cairn-job-nightly.timer'];
    expect(readdirSync(units).toSorted()).toEqual(names);
    for (const name of names) {
      expect(printed.stdout).toContain(readFileSync(`${units}/${name}`, 'utf8'));
      expect(statSync(`${units}/${name}`).mode & 0o777).toBe(0o644);
    }
    // All that is to be written is there, for the unit can make nothing.
    for (const name of ['state', 'cache']) expect(statSync(jobs.place.path(name)).mode & 0o777).toBe(0o700);
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', ...names.map((name) => `${units}/${name}`)], {
      encoding: 'utf8',
    });
    expect(verified.stderr.split('\n').filter((line) => line.includes('cairn-job'))).toEqual([]);
    const command = /^ExecStart=(.*)$/m.exec(readFileSync(`${units}/${names[0]}`, 'utf8'))?.[1] ?? '';
    // The very command of the unit runs the job.
    const { status, stdout } = spawnSync('/bin/sh', ['-c', command], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', HOME: jobs.place.path('home') },
    });
    expect([status, stdout]).toEqual([0, expect.stringContaining('success after')]);
    expect(jobs.cairn('job', 'uninstall', 'nightly', '--unit-directory', units).status).toBe(0);
    expect(readdirSync(units)).toEqual([]);
    // The record of its runs stays.
    expect(jobs.last('nightly')).toMatchObject({ status: 'success' });
    expect(jobs.cairn('job', 'uninstall', 'nightly', '--unit-directory', units).status).toBe(15);
    expect(jobs.cairn('job', 'uninstall', '../../etc/passwd', '--unit-directory', units).status).toBe(2);
    jobs.job('manual');
    expect(jobs.cairn('job', 'install', 'manual', '--unit-directory', units).status).toBe(2);
  });

  it('gives a unit the environment that the command has, but for secrets', () => {
    jobs.job('nightly', NIGHTLY);
    const more = {
      CAIRN_CA_FILE: 'ca.pem',
      CAIRN_SSH_OPTIONS: '-p 2222',
      CAIRN_TOKEN: 'geheim',
      AWS_SECRET_ACCESS_KEY: 'geheim',
    };
    const { stdout } = jobs.place.cairn(['job', 'install', 'nightly', '--dry-run'], { env: { ...jobs.env, ...more } });
    const command = /^ExecStart=(.*)$/m.exec(stdout)?.[1] ?? '';
    expect(command).toContain(
      `/usr/bin/env HOME=${jobs.place.path('home')} CAIRN_CA_FILE=${jobs.place.path('ca.pem')} `,
    );
    expect(command).toContain(' "CAIRN_SSH_OPTIONS=-p 2222" ');
    expect(stdout).not.toContain('geheim');
  });

  it('installs one service for all jobs, and takes it away', async () => {
    jobs.job('nightly', NIGHTLY);
    const units = jobs.place.path('units');
    const at = ['--unit-directory', units];
    expect(jobs.cairn('job', 'install', 'nightly', ...at).status).toBe(0);
    const installed = jobs.cairn('job', 'install', '--daemon', ...at);
    expect(installed).toMatchObject({ status: 0, stdout: `${units}/cairn-jobs.service\n` });
    // Both would start the job at the same time.
    expect(installed.stderr).toContain('cairn-job-nightly.timer run jobs, too');
    expect(jobs.cairn('job', 'install', 'nightly', ...at).stderr).toContain('cairn-jobs.service is installed');
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', `${units}/cairn-jobs.service`], {
      encoding: 'utf8',
    });
    expect(verified.stderr.split('\n').filter((line) => line.includes('cairn-job'))).toEqual([]);
    const command = /^ExecStart=(.*)$/m.exec(readFileSync(`${units}/cairn-jobs.service`, 'utf8'))?.[1] ?? '';
    // The very command of the unit sees to the jobs, until it is ended as systemd does.
    const daemon = spawn('/bin/sh', ['-c', `exec ${command}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: '/usr/bin:/bin', HOME: jobs.place.path('home') },
    });
    const ended = once(daemon, 'exit');
    const [said] = (await once(daemon.stderr, 'data')) as [Buffer];
    expect(said.toString()).toBe(`jobs of ${jobs.place.path('jobs')} are run when they are due\n`);
    daemon.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
    for (const words of [[], ['nightly', '--daemon']]) {
      expect(jobs.cairn('job', 'install', ...words, ...at).status).toBe(2);
      expect(jobs.cairn('job', 'uninstall', ...words, ...at).status).toBe(2);
    }
    expect(jobs.cairn('job', 'uninstall', '--daemon', ...at).status).toBe(0);
    expect(readdirSync(units).toSorted()).toEqual(['cairn-job-nightly.service', 'cairn-job-nightly.timer']);
    expect(jobs.cairn('job', 'uninstall', '--daemon', ...at).status).toBe(15);
  });

  it('says in its status that a job cannot be read, and so does not run', () => {
    jobs.job('nightly', NIGHTLY);
    jobs.place.file('jobs/broken.toml', 'nonsense = 1\n');
    const { status, stdout, stderr } = jobs.cairn('job', 'status');
    expect([status, stdout]).toEqual([2, expect.stringContaining('nightly')]);
    expect(stderr).toContain('broken.toml, line 1: nonsense');
  });
});
