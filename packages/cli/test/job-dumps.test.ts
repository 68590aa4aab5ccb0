import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ERROR_TABLE } from '@cairn/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { JobPlace, stepsOf } from './support/job-place.ts';
import { JsonPage } from './support/json-page.ts';

const page = new JsonPage(new URL('../../../docs/reference/json.md', import.meta.url));

let jobs: JobPlace;
let notes: string;

beforeEach(() => {
  jobs = new JobPlace();
  notes = jobs.place.path('notes.db');
  sql("CREATE TABLE note (text); INSERT INTO note VALUES ('milk')");
});
afterEach(() => jobs.remove());

function sql(statements: string, path = notes): string {
  const { status, stdout, stderr } = spawnSync('sqlite3', [path, statements], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`sqlite3 (bash scripts/prepare.sh --tests installs it): ${stderr}`);
  return stdout.trim();
}

function dumps(...tables: string[]): string {
  return tables.map((table) => `[[dumps]]\n${table}\n`).join('');
}

function sqlite(): string {
  return `kind = "sqlite"\nfiles = ["${notes}"]`;
}

/** A dump that prints something and fails, with a secret in its last words. */
const BROKEN = `kind = "command"\nname = "broken"\ncommand = ["sh", "-c", "echo half; echo password=geheim99 is wrong >&2; exit 4"]`;

function restore(...args: string[]) {
  return jobs.cairn('job', 'restore-dump', 'nightly', 'latest', ...args);
}

/** As `restore`, with output held against the page about JSON. */
function restored(
  status: number,
  ...args: string[]
): { readonly steps: { readonly result: string }[]; readonly error?: { code: string } } {
  const outcome = restore(...args, '--json');
  expect(outcome.status, outcome.stderr).toBe(status);
  const value = JSON.parse(outcome.stdout) as { steps: { result: string }[] };
  expect(page.mistakes('restored_dump', value)).toEqual([]);
  return value;
}

describe('a job with dumps', () => {
  it('stores them beside the files, and gives them back by one command', () => {
    jobs.job('nightly', dumps(sqlite()));
    const { status, events } = jobs.run('nightly');
    expect(status, JSON.stringify(events)).toBe(0);
    expect(stepsOf(events)).toContainEqual(['dump:sqlite', 0]);
    sql('DELETE FROM note');
    const refused = restore('sqlite');
    expect([refused.status, sql('SELECT count(*) FROM note')]).toEqual([41, '0']);
    expect(refused.stderr).toContain('--overwrite');
    expect(restore('sqlite', '--dry-run').stdout).toContain('refused without --overwrite');
    expect(restored(0, 'sqlite', '--dry-run').steps).toMatchObject([{ result: 'refused' }]);
    expect(restored(0, 'sqlite', '--dry-run', '--overwrite').steps).toMatchObject([{ result: 'would be restored' }]);
    expect(sql('SELECT count(*) FROM note')).toBe('0');
    expect(restored(0, 'sqlite', '--overwrite').steps).toMatchObject([{ result: 'restored' }]);
    expect(sql('SELECT text FROM note')).toBe('milk');
    const copy = jobs.place.path('copy.db');
    expect(restore('sqlite', '--database', notes, '--into', copy).stdout).toContain('restored: database');
    expect(sql('SELECT text FROM note', copy)).toBe('milk');
  });

  it('ends failed and says so when one fails, and stores all the rest', async () => {
    jobs.job('nightly', dumps(BROKEN, sqlite()));
    const { status, events, stdout } = jobs.run('nightly');
    expect(status).not.toBe(0);
    expect(stepsOf(events)).toEqual(
      expect.arrayContaining([
        ['dump:broken', 1],
        ['dump:sqlite', 0],
        ['backup', 0],
      ]),
    );
    expect(events.at(-1)).toMatchObject({ type: 'ended', status: 'failed' });
    expect(stdout).toContain('sh ended with status 4');
    expect(stdout).not.toContain('geheim99');
    expect(jobs.archives('nightly')).toMatchObject([{ complete: false }]);
    const files = jobs.place.json<{ path: string; kind: string }[]>(
      ['ls', '--depth', '9', 'nightly@latest', '/dumps', '--key-file', jobs.place.path('key')],
      { env: jobs.env },
    );
    expect(files.filter(({ path, kind }) => kind === 'file' && path.includes('broken'))).toEqual([]);
    expect(restore('broken').status).toBe(2);
    expect(restore('sqlite', '--into', jobs.place.path('copy.db')).status).toBe(0);
  });

  it('tells what a restore that failed has done', () => {
    const out = jobs.place.path('out');
    const table = `kind = "command"\ncommand = ["seq", "5"]\nrestore-command = ["sh", "-c", "cat > ${out}; echo no more room >&2; exit 9"]`;
    jobs.job('nightly', dumps(table));
    expect(jobs.run('nightly').status).toBe(0);
    expect(existsSync(out)).toBe(false);
    expect(restore('command').status).toBe(41);
    const { stderr, stdout, status } = restore('command', '--overwrite');
    expect(status).toBe(42);
    expect(stdout).toContain('failed: output of the command');
    expect(stderr).toMatch(/sh ended with status 9: no more room/);
    expect(stderr).toContain('whatever the command had done by then');
    expect(restored(42, 'command', '--overwrite')).toMatchObject({
      steps: [{ result: 'failed' }],
      error: { code: 'TARGET_FAILED' },
    });
  });

  it('names what it has when another dump is asked for', () => {
    jobs.job('nightly', dumps(sqlite()));
    const { status, stderr } = restore('mysql');
    expect([status, stderr.includes('It has sqlite.')]).toEqual([2, true]);
  });

  it('of a kind whose program is missing goes on without it', () => {
    jobs.job('nightly', dumps(`kind = "mongodb"\nhost = "127.0.0.1"\nport = 1`, sqlite()));
    const { status, events } = jobs.run('nightly');
    expect(status).toBe(ERROR_TABLE.HOST_UNSUPPORTED.exit);
    expect(stepsOf(events)).toEqual([
      ['reachable', 0],
      ['space', 0],
      ['dump:mongodb', 3],
      ['backup', 0],
      ['dump:sqlite', 0],
    ]);
    // It has a hole: a prune must not count it as one to keep.
    expect(jobs.archives('nightly')).toMatchObject([{ complete: false }]);
    expect(events.filter(({ type }) => type === 'log')).toHaveLength(1);
  });

  it('makes no archive when there is no dump that could be in it', () => {
    jobs.job('nightly', dumps(`kind = "sqlite"\nfiles = ["${jobs.place.path('gone.db')}"]`));
    const path = jobs.place.path('jobs/nightly.toml');
    jobs.place.file('jobs/nightly.toml', readFileSync(path, 'utf8').replace(/^sources = .*$/m, ''));
    const { events } = jobs.run('nightly');
    expect(stepsOf(events).slice(2)).toEqual([
      ['dump:sqlite', 1],
      ['backup', 1],
    ]);
    expect(jobs.archives('nightly')).toEqual([]);
  });
});

describe('alerts of a job', () => {
  let server: Server;
  const bodies: { readonly event: string; readonly failed_steps: { step: string }[]; readonly log: string }[] = [];
  beforeEach(async () => {
    bodies.length = 0;
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (piece) => (text += String(piece)));
      request.on('end', () => {
        bodies.push(JSON.parse(text) as (typeof bodies)[number]);
        response.end();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(() => void server.close());

  it('tell of a dump that failed, and of the first good run after it', async () => {
    const { port } = server.address() as AddressInfo;
    const alerts = `[alerts.webhook]\nurl = "http://127.0.0.1:${port}/"\n`;
    jobs.job('nightly', `${alerts}${dumps(BROKEN)}`);
    await jobs.start('nightly').end();
    jobs.job('nightly', alerts);
    await jobs.start('nightly').end();
    await jobs.start('nightly').end();
    expect(bodies.map(({ event }) => event)).toEqual(['failure', 'recovered']);
    expect(bodies[0]?.failed_steps).toMatchObject([{ step: 'dump:broken' }]);
    expect(bodies[0]?.log).toContain('sh ended with status 4');
    expect(JSON.stringify(bodies)).not.toContain('geheim99');
  });

  it('tell of runs that were missed, before the next one begins', async () => {
    const { port } = server.address() as AddressInfo;
    jobs.job('nightly', `[alerts.webhook]\nurl = "http://127.0.0.1:${port}/"\n[schedule]\ncron = "0 * * * *"\n`);
    await jobs.start('nightly').end();
    expect(bodies).toEqual([]);
    jobs.becomeOld('nightly');
    await jobs.start('nightly').end();
    expect(bodies.map(({ event }) => event)).toEqual(['missed']);
  });

  it('tell of a run that did not begin since another one goes on', async () => {
    const { port } = server.address() as AddressInfo;
    const hook = `[[hooks]]\nwhen = "before"\ncommand = ["sleep", "60"]\n`;
    jobs.job('nightly', `[alerts.webhook]\nurl = "http://127.0.0.1:${port}/"\n${hook}`);
    const first = jobs.start('nightly');
    await first.until(({ type }) => type === 'step-started');
    expect(await jobs.start('nightly').end()).toBe(ERROR_TABLE.JOB_BUSY.exit);
    expect(bodies).toEqual([]);
    expect(await jobs.start('nightly', '--trigger', 'timer').end()).toBe(ERROR_TABLE.JOB_BUSY.exit);
    expect(bodies.map(({ event }) => event)).toEqual(['missed']);
    await first.end('SIGTERM');
  });

  it('tell of a run that has no place for its record', async () => {
    const { port } = server.address() as AddressInfo;
    jobs.job('nightly', `[alerts.webhook]\nurl = "http://127.0.0.1:${port}/"\n`);
    rmSync(jobs.place.path('state/runs'), { recursive: true, force: true });
    jobs.place.file('state/runs', 'no directory');
    expect(await jobs.start('nightly').end()).toBe(ERROR_TABLE.TARGET_FAILED.exit);
    expect(bodies.map(({ event }) => event)).toEqual(['failure']);
    expect(bodies[0]?.failed_steps).toMatchObject([{ step: 'record' }]);
  });
});

describe('cairn job detect', () => {
  it('finds what is installed', () => {
    const { stdout, status } = jobs.cairn('job', 'detect', '--json');
    const found = JSON.parse(stdout) as { kind: string; program?: string; example: string }[];
    expect(status).toBe(0);
    expect(page.mistakes('array of detected', found)).toEqual([]);
    expect(found.find(({ kind }) => kind === 'sqlite')).toMatchObject({ program: expect.stringMatching(/^3\./) });
    expect(found.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['mysql', 'postgresql', 'openldap']));
    expect(jobs.cairn('job', 'detect').stdout).toContain('[[dumps]]\nkind = "mysql"');
  });
});
