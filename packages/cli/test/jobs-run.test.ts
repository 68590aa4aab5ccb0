import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { JobPlace, stepsOf } from './support/job-place.ts';

let jobs: JobPlace;
beforeEach(() => (jobs = new JobPlace()));
afterEach(() => jobs.remove());

const ALL = '[prune]\nkeep-default = true\n[compact]\n[check]\nshare = "100%"\n';

/** Every file below a directory with its mode. */
function modesBelow(directory: string): [string, number][] {
  return readdirSync(directory, { withFileTypes: true, recursive: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return [entry.isDirectory() ? 'directory' : 'file', statSync(path).mode & 0o777];
  });
}

/** False also for a process that only waits for its parent to look at it. */
function isAlive(pid: string): boolean {
  if (!existsSync(`/proc/${pid}`)) return false;
  return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

describe('cairn run', () => {
  it('does all that a job says, in order, and remembers it', () => {
    jobs.job('nightly', ALL.replace(/share = .*/, 'time-budget = "1m"'));
    const { status, events } = jobs.run('nightly');
    expect(stepsOf(events)).toEqual([
      ['reachable', 0],
      ['space', 0],
      ['backup', 0],
      ['prune', 0],
      ['compact', 0],
      ['check', 0],
    ]);
    expect(status).toBe(0);
    expect(events[0]).toMatchObject({ type: 'started', job: 'nightly', kind: 'job', trigger: 'manual' });
    const archive = jobs.archives('nightly')[0];
    expect(archive).toMatchObject({ complete: true });
    expect(events.at(-1)).toMatchObject({
      type: 'ended',
      status: 'success',
      exit: 0,
      archive: archive?.name,
      // One pack of data and one of trees, as a time-boxed check of so little reads all.
      figures: { files: 1, bytes: 3, archives_removed: 0, check_errors: 0, packs_read: 2 },
    });
    expect(jobs.last('nightly')).toMatchObject({ status: 'success', archive: archive?.name, figures: { files: 1 } });
    for (const [kind, mode] of modesBelow(jobs.place.path('state', 'runs'))) {
      expect([kind, mode]).toEqual([kind, kind === 'directory' ? 0o700 : 0o600]);
    }
  });

  it('has a series for each job, so that a prune never takes the archives of one for newer ones of another', () => {
    const more = '[prune]\nkeep-last = 1\nmax-share = "100%"\n';
    for (const name of ['documents', 'photos', 'documents']) {
      jobs.job(name, more);
      const path = jobs.place.path('jobs', `${name}.toml`);
      jobs.place.file(`jobs/${name}.toml`, readFileSync(path, 'utf8').replace(/^series = .*$/m, ''));
      expect(jobs.run(name).status).toBe(0);
    }
    for (const name of ['documents', 'photos']) expect(jobs.archives(`${hostname()}-${name}`)).toHaveLength(1);
    // A job that makes no archives prunes those of all others.
    for (const name of ['documents', 'photos']) jobs.job(name);
    for (const name of ['documents', 'photos', 'documents', 'photos']) expect(jobs.run(name).status).toBe(0);
    const maintain = readFileSync(jobs.place.path('jobs/photos.toml'), 'utf8').replace(/\[backup\][^]*/, more);
    jobs.place.file('jobs/maintain.toml', maintain);
    const { events } = jobs.run('maintain');
    expect(events.at(-1)).toMatchObject({ status: 'success', figures: { archives_removed: 2, archives_kept: 4 } });
    for (const name of ['documents', 'photos']) expect(jobs.archives(name)).toHaveLength(1);
  });

  it('warns of another host that does not answer, and goes on', () => {
    jobs.job('nightly', '[limits]\nreachable-hosts = ["127.0.0.1:1"]\n');
    const { status, events } = jobs.run('nightly');
    expect(status).toBe(3);
    expect(events).toContainEqual(
      expect.objectContaining({ level: 'warning', step: 'reachable', text: '127.0.0.1:1 does not answer' }),
    );
    expect(jobs.archives('nightly')).toMatchObject([{ complete: true }]);
  });

  it('takes a path, or standard input, and a part of the steps', () => {
    jobs.job('nightly', ALL);
    const text = readFileSync(jobs.place.path('jobs/nightly.toml'), 'utf8');
    const id = '20260101-000000000-abcdef01';
    const outcome = jobs.place.cairn(['run', '-', '--json', '--run-id', id, '--trigger', 'api', '--only', 'backup'], {
      env: jobs.env,
      input: `name = "from-panel"\n${text}`,
    });
    expect(outcome.stdout).toContain(`"run":"${id}","job":"from-panel","kind":"backup","trigger":"api"`);
    expect(outcome).toMatchObject({ status: 0 });
    expect(outcome.stdout).not.toContain('"step":"check"');
    expect(jobs.cairn('run', jobs.place.path('jobs/nightly.toml')).status).toBe(0);
    expect(jobs.cairn('run', 'nightly', '--only', 'dump').stderr).toContain('there is no step dump');
    expect(jobs.cairn('run', 'absent')).toMatchObject({ status: 15 });
    expect(jobs.cairn('run')).toMatchObject({ status: 2 });
  });

  it('stores nothing of a dump that fails, and all the rest, and ends failed', () => {
    const dump = (name: string, script: string): string =>
      `[[dumps]]\nkind = "command"\nname = "${name}"\ncommand = ["sh", "-c", "${script}"]\n`;
    jobs.job('nightly', `${dump('good', 'echo data')}${dump('bad', 'echo half; exit 3')}${ALL}`);
    const { status, events } = jobs.run('nightly');
    expect(status).toBe(19);
    expect(stepsOf(events)).toEqual(
      expect.arrayContaining([
        ['backup', 0],
        ['dump:good', 0],
        ['dump:bad', 1],
        ['prune', 0],
        ['check', 0],
      ]),
    );
    expect(events.at(-1)).toMatchObject({ type: 'ended', status: 'failed', exit: 19 });
    const listed = jobs.cairn('ls', 'latest', '--key-file', jobs.place.path('key')).stdout;
    expect(listed).toContain('/dumps/command/good/output\n');
    expect(listed).toContain('/one.txt\n');
    expect(listed).not.toContain('bad/output');
  });

  it('goes on after a failure, or stops, and runs the hooks after it in any case', () => {
    const log = jobs.place.path('hooks.log');
    const hook = (when: string, step: string, script: string): string =>
      `[[hooks]]\nwhen = "${when}"\n${step === '' ? '' : `step = "${step}"\n`}command = ["sh", "-c", "echo ${when} ${step === '' ? 'job' : step} $CAIRN_STATUS >> ${log}; ${script}"]\n`;
    const hooks = [
      hook('before', '', 'true'),
      hook('before', 'backup', 'exit 7'),
      hook('after', 'backup', 'true'),
      hook('before', 'prune', 'true'),
      hook('after', 'prune', 'true'),
      hook('always', 'prune', 'true'),
      hook('after', '', 'true'),
      hook('always', '', 'true'),
    ].join('');
    jobs.job('nightly', `${hooks}${ALL}`);
    const said = (): string[] => readFileSync(log, 'utf8').trim().split('\n').splice(-8);
    expect(jobs.run('nightly')).toMatchObject({ status: 19 });
    expect(said()).toEqual([
      'before job success',
      'before backup success',
      'after backup failed',
      'before prune failed',
      'after prune failed',
      'always prune failed',
      'after job failed',
      'always job failed',
    ]);
    expect(jobs.archives('nightly')).toHaveLength(1);

    jobs.place.file('hooks.log', '');
    const path = jobs.place.path('jobs/nightly.toml');
    jobs.place.file('jobs/nightly.toml', `policy = "stop"\n${readFileSync(path, 'utf8')}`);
    const { status, events } = jobs.run('nightly');
    expect(status).toBe(19);
    expect(said()).toEqual([
      'before job success',
      'before backup success',
      'after backup failed',
      'always prune failed',
      'after job failed',
      'always job failed',
    ]);
    expect(stepsOf(events).map(([step]) => step)).not.toContain('backup');
    expect(jobs.archives('nightly')).toHaveLength(1);
  });

  it('ends a hook that hangs, with all that it started, and goes on', () => {
    const pids = jobs.place.path('pids');
    // Neither the shell nor its child listens to SIGTERM.
    jobs.job(
      'nightly',
      `[[hooks]]\nname = "stuck"\nwhen = "before"\ntime-limit = "0.3s"\n` +
        `command = ["sh", "-c", "trap '' TERM; sleep 100 & echo $$ $! > ${pids}; wait; sleep 100"]\n`,
    );
    const { status, events } = jobs.run('nightly');
    expect(status).toBe(24);
    expect(stepsOf(events).slice(0, 2)).toEqual([
      ['hook:stuck', 1],
      ['reachable', 0],
    ]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'step-ended', step: 'hook:stuck', code: 'TIME_OVER' }),
    );
    for (const pid of readFileSync(pids, 'utf8').trim().split(' ')) expect(isAlive(pid)).toBe(false);
    expect(jobs.archives('nightly')).toHaveLength(1);
  });

  it('does not begin a backup where there is too little space, but makes some', () => {
    jobs.job('nightly', `${ALL}[limits]\nminimum-free = "8000T"\n`);
    const { status, events } = jobs.run('nightly');
    expect(status).toBe(31);
    expect(stepsOf(events)).toEqual([
      ['reachable', 0],
      ['space', 3],
      ['prune', 0],
      ['compact', 0],
      ['check', 0],
    ]);
    expect(jobs.archives('nightly')).toHaveLength(0);
  });

  it('says that the network is not reachable, after it tried again', () => {
    jobs.job('nightly', '[limits]\nretries = 2\nretry-wait = "0.05s"\n[[hooks]]\nwhen = "after"\ncommand = ["true"]\n');
    const text = readFileSync(jobs.place.path('jobs/nightly.toml'), 'utf8');
    const token = jobs.place.file('token', 'cairn1-secret-token');
    // Port 1 of this machine: nobody listens.
    jobs.place.file(
      'jobs/nightly.toml',
      text.replace(
        /address = .*/,
        `address = "https://127.0.0.1:1/main"\nretry-for = 0\ncredentials-file = "${token}"`,
      ),
    );
    const { status, events, stderr } = jobs.run('nightly');
    expect([status, stderr]).toEqual([30, '']);
    expect(stepsOf(events)).toEqual([
      ['reachable', 2],
      ['hook:after-1', 0],
    ]);
    const retries = events.filter((event) => event.type === 'log' && event.text.includes('trying again in'));
    expect(retries).toHaveLength(2);
  });

  it('tells no secrets', () => {
    const secret = 'correct horse battery staple';
    const passphrase = jobs.place.file('passphrase', `${secret}\n`);
    jobs.job(
      'nightly',
      `[[hooks]]\nwhen = "before"\ncommand = ["sh", "-c", "echo password=horse-and-cart; exit 3", "--password=${secret}"]\n` +
        `[[dumps]]\nkind = "command"\ncommand = ["sh", "-c", "exit 3", "--password=${secret}"]\n`,
    );
    const path = jobs.place.path('jobs/nightly.toml');
    const text = readFileSync(path, 'utf8');
    jobs.place.file('jobs/nightly.toml', text.replace('[backup]', `passphrase-file = "${passphrase}"\n[backup]`));
    const { stdout, stderr } = jobs.run('nightly');
    expect(stdout + stderr).not.toContain('horse');
    expect(stdout).toContain('ended with status 3');
    expect(stdout).toContain('password=***');
  });
});
