import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { JobPlace, stepsOf } from './support/job-place.ts';

let jobs: JobPlace;
beforeEach(() => (jobs = new JobPlace()));
afterEach(() => jobs.remove());

const ALL = '[prune]\nkeep-default = true\n[compact]\n[check]\nshare = "100%"\n';
/** Four seconds for the source below. */
const SLOW = '[limits]\nbandwidth = [{ hours = "00:00-24:00", upload = "1M" }]\n';

/** A hook that waits beside a step as long as there is a file, and says its process id. */
function waitingHook(step: string): string {
  const file = jobs.place.path('wait');
  return (
    `[[hooks]]\nname = "wait-${step === '' ? 'job' : step}"\nwhen = "before"\n${step === '' ? '' : `step = "${step}"\n`}` +
    `command = ["sh", "-c", "echo $$ > ${jobs.place.path('pid')}; while test -e ${file}; do sleep 0.05; done"]\n`
  );
}

function isAlive(pid: string): boolean {
  if (!existsSync(`/proc/${pid}`)) return false;
  return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

async function untilGone(pid: string): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('a run that is killed', () => {
  it.each(['', 'backup', 'prune', 'compact', 'check'])(
    'before %s is told as lost, and the next run goes on',
    async (step) => {
      jobs.job('nightly', `${waitingHook(step)}${ALL}`);
      jobs.place.file('wait', '');
      const running = jobs.start('nightly');
      await running.until((event) => event.type === 'step-started' && event.step.startsWith('hook:wait'));
      while (!/\n/.test(existsSync(jobs.place.path('pid')) ? readFileSync(jobs.place.path('pid'), 'utf8') : ''))
        await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await running.end('SIGKILL')).toBeNull();
      expect(jobs.last('nightly')).toMatchObject({ status: 'lost' });
      // What it had started is gone with it.
      await untilGone(readFileSync(jobs.place.path('pid'), 'utf8').trim());

      rmSync(jobs.place.path('wait'));
      const next = jobs.run('nightly');
      expect([next.status, next.stderr]).toEqual([0, '']);
      expect(jobs.archives('nightly').length).toBeGreaterThan(0);
    },
  );

  it('in the midst of a backup loses nothing that was stored', async () => {
    jobs.place.file('source/large', randomBytes(4 * 1024 * 1024));
    jobs.job('nightly', SLOW);
    const running = jobs.start('nightly');
    await running.until((event) => event.type === 'step-started' && event.step === 'backup');
    await new Promise((resolve) => setTimeout(resolve, 500));
    await running.end('SIGKILL');
    expect(jobs.last('nightly')).toMatchObject({ status: 'lost' });
    jobs.job('nightly', ALL);
    expect(jobs.run('nightly').status).toBe(0);
    expect(jobs.archives('nightly')).toMatchObject([{ complete: true }]);
  });
});

describe('a run that is cancelled', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s ends cleanly, runs its hooks, and the next one resumes',
    async (signal) => {
      jobs.place.file('source/large', randomBytes(4 * 1024 * 1024));
      const after = jobs.place.path('after');
      const hooks =
        `[[hooks]]\nwhen = "after"\nstep = "backup"\ncommand = ["sh", "-c", "echo backup >> ${after}"]\n` +
        `[[hooks]]\nwhen = "always"\nstep = "check"\ncommand = ["sh", "-c", "echo check >> ${after}"]\n` +
        `[[hooks]]\nwhen = "always"\ncommand = ["sh", "-c", "echo job >> ${after}"]\n`;
      jobs.job('nightly', `${hooks}${ALL}${SLOW}`);
      const running = jobs.start('nightly');
      await running.until((event) => event.type === 'step-started' && event.step === 'backup');
      await new Promise((resolve) => setTimeout(resolve, 600));
      expect(await running.end(signal)).toBe(130);
      expect(running.events.at(-1)).toMatchObject({ type: 'ended', status: 'cancelled', exit: 130 });
      expect(stepsOf(running.events).map(([step]) => step)).not.toContain('prune');
      expect(readFileSync(after, 'utf8')).toBe('backup\ncheck\njob\n');
      expect(jobs.archives('nightly')).toEqual([]);
      jobs.job('nightly', ALL);
      expect(jobs.run('nightly').status).toBe(0);
      expect(jobs.archives('nightly')).toMatchObject([{ complete: true }]);
    },
  );

  it('while its store does not answer ends at once', async () => {
    jobs.job('nightly');
    const path = jobs.place.path('jobs/nightly.toml');
    const token = jobs.place.file('token', 'cairn1-secret-token');
    // Port 1 of this machine: nobody listens, and it is tried for minutes.
    const away = `address = "https://127.0.0.1:1/main"\ncredentials-file = "${token}"`;
    jobs.place.file('jobs/nightly.toml', readFileSync(path, 'utf8').replace(/address = .*/, away));
    const running = jobs.start('nightly');
    await running.until((event) => event.type === 'log' && event.text.includes('trying again'));
    const startMs = performance.now();
    expect(await running.end('SIGTERM')).toBe(130);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(stepsOf(running.events)).toEqual([['reachable', 1]]);
    expect(running.events.at(-1)).toMatchObject({ type: 'ended', status: 'cancelled' });
  });

  it('by its own time limit counts as failed', () => {
    jobs.place.file('source/large', randomBytes(4 * 1024 * 1024));
    jobs.job('nightly', `${ALL}${SLOW}hard-time = "1s"\nsoft-time = "0.2s"\n`);
    const { status, events } = jobs.run('nightly');
    expect(status).toBe(24);
    expect(events.at(-1)).toMatchObject({ status: 'failed', exit: 24 });
    expect(events).toContainEqual(expect.objectContaining({ type: 'step-ended', step: 'backup', code: 'TIME_OVER' }));
    expect(events).toContainEqual(
      expect.objectContaining({ level: 'warning', text: 'the job nightly takes longer than 0.2 s' }),
    );

    jobs.job('nightly', `${SLOW}`, 'hard-time = 1');
    expect(jobs.run('nightly').status).toBe(24);
  });
});

describe('a job that is started twice', () => {
  it('runs once, and the second start is told of the first', async () => {
    jobs.job('nightly', waitingHook(''));
    jobs.place.file('wait', '');
    const running = jobs.start('nightly');
    await running.until((event) => event.type === 'step-started');
    const [started] = running.events;
    const second = jobs.cairn('run', 'nightly');
    expect(second).toMatchObject({ status: 18, stdout: '' });
    expect(second.stderr).toContain(started?.type === 'started' ? started.run : 'no event');
    expect(jobs.cairn('job', 'status').stdout).toContain('running since');
    rmSync(jobs.place.path('wait'));
    expect(await running.end()).toBe(0);
    expect(jobs.run('nightly').status).toBe(0);
  });
});

describe('a run before which a record was damaged', () => {
  it('backs up all the same, and says so', () => {
    jobs.job('nightly');
    expect(jobs.run('nightly').status).toBe(0);
    const runs = jobs.place.path('state/runs/nightly');
    const [id = ''] = readdirSync(runs);
    rmSync(`${runs}/${id}/events.jsonl`);
    mkdirSync(`${runs}/${id}/events.jsonl`);
    const { status, events } = jobs.run('nightly');
    expect(status).toBe(3);
    expect(events).toContainEqual(
      expect.objectContaining({
        level: 'warning',
        text: expect.stringContaining('the records of earlier runs cannot be read'),
      }),
    );
    expect(jobs.archives('nightly')).toHaveLength(2);
  });
});

describe('a run whose record cannot be written to its end', () => {
  it('backs up all the same, and says so', () => {
    jobs.job('nightly', '[[hooks]]\nwhen = "before"\ncommand = ["seq", "1000"]\n');
    // No file may grow beyond 64 blocks of 512 bytes, as on a disk that is full; objects of the repository are smaller here.
    const { status, stdout, stderr } = jobs.place.cairn(['run', 'nightly'], {
      env: jobs.env,
      prefix: ['sh', '-c', 'ulimit -f 64; exec "$@"', 'sh'],
    });
    expect(status).toBe(3);
    expect(stdout).toContain('warning after');
    expect(stderr).toContain('the record of this run is not whole');
    expect(jobs.archives('nightly')).toMatchObject([{ complete: true }]);
    // Its end is not in the record, so nobody may believe that it was good.
    expect(jobs.last('nightly')).toMatchObject({ status: 'lost' });
    expect(jobs.run('nightly').status).toBe(0);
  });
});
