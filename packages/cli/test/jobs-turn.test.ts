import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { JobPlace } from './support/job-place.ts';

let jobs: JobPlace;
beforeEach(() => (jobs = new JobPlace()));
afterEach(() => jobs.remove());

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 50));
}

describe('cairn run --all', () => {
  it('runs jobs in turn, each in a process of its own, and again what failed', () => {
    const log = jobs.place.path('turns');
    const hook = (script: string): string =>
      `[[hooks]]\nwhen = "before"\ncommand = ["sh", "-c", "echo $CAIRN_JOB >> ${log}; ${script}"]\n`;
    const wasHere = jobs.place.path('flaky-was-here');
    jobs.job('a-flaky', hook(`test -e ${wasHere} || { touch ${wasHere}; exit 1; }`));
    jobs.job('b-good', hook('true'));
    jobs.job('c-bad', hook('exit 1'));
    const { status, stderr } = jobs.cairn('run', '--all', '--max-runs', '2');
    expect(status).toBe(19);
    expect(readTurns(log)).toEqual(['a-flaky', 'b-good', 'c-bad', 'a-flaky', 'c-bad']);
    expect(stderr).toContain('a-flaky ended with status 19; it is run again after the others');
    expect(stderr).toContain('c-bad ended with status 19\n');
    expect([jobs.last('a-flaky').status, jobs.last('c-bad').status]).toEqual(['success', 'failed']);
  });

  it('begins nothing when time is over, and ends cleanly on a signal', async () => {
    jobs.job('a', '[[hooks]]\nwhen = "before"\ncommand = ["sleep", "1.2"]\n');
    jobs.job('b');
    const { status, stderr } = jobs.cairn('run', '--all', '--max-time', '1s');
    expect(status).toBe(24);
    expect(stderr).toContain('b was not run: there was no time left');

    jobs.job(
      'a',
      `[[hooks]]\nwhen = "before"\ncommand = ["sh", "-c", "touch ${jobs.place.path('begun')}; sleep 100"]\n`,
    );
    const child = jobs.place.start(['run', '--all'], jobs.env);
    const ended = once(child, 'exit');
    await until(() => existsSync(jobs.place.path('begun')));
    child.kill('SIGINT');
    expect((await ended)[0]).toBe(130);
    expect(jobs.last('a')).toMatchObject({ status: 'cancelled' });
  });
});

describe('options of cairn run', () => {
  it.each([
    ['--all', '--only', 'backup'],
    ['a', '--max-runs', '2'],
    ['a', '--slice', '1h'],
  ])('that have no meaning there are refused: %s %s %s', (...words) => {
    jobs.job('a');
    expect(jobs.cairn('run', ...words)).toMatchObject({ status: 2, stdout: '' });
    expect(jobs.archives('a')).toEqual([]);
  });
});

describe('cairn job daemon', () => {
  it('runs a job after its sources changed, takes up files that are new, and ends cleanly', async () => {
    jobs.job('watched', '[schedule.on-change]\ndebounce = "0.3s"\nceiling = "5s"\n');
    jobs.place.file('jobs/broken.toml', 'nonsense = 1\n');
    const child = jobs.place.start(['job', 'daemon'], jobs.env);
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    const ended = once(child, 'exit');
    await until(() => said.includes('are run when they are due') && said.includes('broken.toml'));
    expect(jobs.archives('watched')).toHaveLength(0);
    // A watch begins some time after the daemon said so; each change is one more chance to be seen.
    let changes = 0;
    await until(() => {
      if (said.includes('watched: begins (change)')) return true;
      changes += 1;
      writeFileSync(jobs.place.path('source/one.txt'), `change ${changes}`);
      return false;
    });
    await until(() => said.includes('watched: ended with status 0; done'));
    expect(jobs.archives('watched').length).toBeGreaterThan(0);
    expect(jobs.cairn('job', 'status').stdout).toContain('success');
    child.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
  });
});

function readTurns(log: string): string[] {
  return readFileSync(log, 'utf8').trim().split('\n');
}
