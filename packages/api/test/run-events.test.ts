import { RunStore, type RunEvent } from '@cairn/jobs';
import { appendFileSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ScratchPanel, type Caller, type Visitor } from './support/scratch-panel.ts';

type Writer = Awaited<ReturnType<RunStore['create']>>;

let panel: ScratchPanel;
let admin: Visitor;
let runs: RunStore;

interface Streamed {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: RunEvent;
}

/** Events of a stream as they come, until it ends or the signal fires. */
async function* streamed(caller: Caller, run: string, after?: string, signal?: AbortSignal): AsyncGenerator<Streamed> {
  const response = await fetch(`${panel.panel.address}/api/v1/runs/${run}/events`, {
    headers: { ...caller.headers, ...(after === undefined ? {} : { 'last-event-id': after }) },
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.status !== 200 || response.body === null) throw new Error(`the stream answered ${response.status}`);
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string): string | undefined =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field('data') !== undefined)
        yield { id: field('id'), event: field('event'), data: JSON.parse(field('data') ?? '') as RunEvent };
    }
  }
}

async function all(events: AsyncIterable<Streamed>): Promise<Streamed[]> {
  const found: Streamed[] = [];
  for await (const event of events) found.push(event);
  return found;
}

/** Descriptors of this process, which the panel is in, that hold a run's record open. */
function heldOpen(run: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes(run);
    } catch {
      // It was closed meanwhile.
      return false;
    }
  }).length;
}

async function ended(run: Writer): Promise<void> {
  await run.end({ status: 'success', exit: 0, figures: { files: 3, new_bytes: 1_000 }, archive: 'web-1' });
}

beforeAll(async () => {
  panel = await ScratchPanel.make();
  runs = new RunStore(join(panel.config['state-directory'], 'runs'));
  mkdirSync(join(panel.directory, 'jobs'));
  writeFileSync(
    join(panel.directory, 'jobs/nightly.toml'),
    `description = "all"\n[repository]\naddress = "${join(panel.directory, 'main')}"\n[backup]\nsources = ["/etc"]\n[schedule]\ncron = "30 2 * * *"\ntime-zone = "UTC"\n`,
  );
  writeFileSync(join(panel.directory, 'jobs/broken.toml'), 'nothing = true\n');
  writeFileSync(join(panel.directory, 'jobs/elsewhere.toml'), '[repository]\naddress = "/nowhere"\n[check]\n');
  admin = await panel.setUp();
});

afterAll(() => panel.remove());

describe('while the gate is closed', () => {
  it('no run is told or started', async () => {
    for (const path of ['runs', 'jobs', 'runs/x/events'])
      expect((await panel.ask(admin, 'GET', `/api/v1/${path}`)).status).toBe(423);
    expect((await panel.ask(admin, 'POST', '/api/v1/runs', { body: { job: 'nightly' } })).status).toBe(423);
    await panel.openGate(admin);
  });
});

describe('following a run', () => {
  it('gives what was written, and then each event as it is written', async () => {
    const run = await runs.create('nightly', 'job', 'manual');
    run.append({ type: 'step-started', step: 'backup' });
    const following = streamed(admin, run.id);
    expect((await following.next()).value).toMatchObject({ event: 'started', data: { run: run.id } });
    expect((await following.next()).value).toMatchObject({ event: 'step-started', data: { step: 'backup' } });
    const next = following.next();
    run.append({ type: 'log', level: 'info', text: 'line\n\ndata: forged' });
    expect((await next).value).toMatchObject({ event: 'log', data: { text: 'line\n\ndata: forged' } });
    await ended(run);
    const rest = await all(following);
    expect(rest.map(({ event }) => event)).toEqual(['ended', 'end']);
  });

  it('goes on where it broke off, without a gap and without saying anything twice', async () => {
    const run = await runs.create('nightly', 'job', 'manual');
    for (let i = 0; i < 20; i++) run.append({ type: 'log', level: 'info', text: `line ${i}` });
    const leaving = new AbortController();
    const first: Streamed[] = [];
    const following = streamed(admin, run.id, undefined, leaving.signal);
    for await (const event of following) if (first.push(event) === 8) break;
    leaving.abort();
    await ended(run);
    const second = await all(streamed(admin, run.id, first.at(-1)?.id));
    const texts = [...first, ...second].flatMap(({ data }) => (data.type === 'log' ? [data.text] : []));
    expect(texts).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i}`));
    // One that has all of it is told that there is no more.
    const last = second.at(-2)?.id;
    expect((await all(streamed(admin, run.id, last))).map(({ event }) => event)).toEqual(['end']);
  });

  it('serves many at once, and lets go of those who leave', async () => {
    const run = await runs.create('nightly', 'job', 'manual');
    const leaving = new AbortController();
    const gone = Promise.allSettled(
      Array.from({ length: 10 }, () => all(streamed(admin, run.id, undefined, leaving.signal))),
    );
    const staying = Array.from({ length: 30 }, () => all(streamed(admin, run.id)));
    run.append({ type: 'progress', step: 'backup', done_bytes: 1, total_bytes: 2 });
    leaving.abort();
    await gone;
    await ended(run);
    for (const events of await Promise.all(staying)) {
      expect(events.map(({ event }) => event)).toEqual(['started', 'progress', 'ended', 'end']);
    }
    await expect.poll(() => heldOpen(run.id)).toBe(0);
  });

  it('ends for a token that is revoked meanwhile, and not for others', async () => {
    const run = await runs.create('nightly', 'job', 'manual');
    const token = await panel.token(admin, ['runs:read']);
    const following = streamed(token, run.id);
    const staying = streamed(admin, run.id);
    for (const one of [following, staying]) expect((await one.next()).value).toMatchObject({ event: 'started' });
    const [{ id = '' } = {}] = await panel.good<{ id: string }[]>(admin, 'GET', '/api/v1/tokens');
    await panel.good(admin, 'DELETE', `/api/v1/tokens/${id}`);
    panel.wait(15_000);
    run.append({ type: 'log', level: 'info', text: 'not for everybody' });
    expect((await following.next()).done).toBe(true);
    expect((await staying.next()).value).toMatchObject({ data: { text: 'not for everybody' } });
    await ended(run);
    await all(staying);
    await expect.poll(() => heldOpen(run.id)).toBe(0);
  });

  it('ends when the run is lost', async () => {
    const run = await runs.create('nightly', 'job', 'manual');
    const following = all(streamed(admin, run.id));
    await run.abandon();
    expect((await following).map(({ event }) => event)).toEqual(['started', 'end']);
    expect(await panel.good(admin, 'GET', `/api/v1/runs/${run.id}`)).toMatchObject({ status: 'lost' });
  });

  it('refuses ids that are none', async () => {
    for (const run of ['nothing-here', '..%2f..', '%00', 'a'.repeat(70)]) {
      const { status } = await panel.ask(admin, 'GET', `/api/v1/runs/${run}/events`);
      expect([run, status === 404 || status === 400]).toEqual([run, true]);
    }
    const [{ id } = { id: '' }] = await runs.list({ limit: 1 });
    const wrong = await panel.ask(admin, 'GET', `/api/v1/runs/${id}/events`, { headers: { 'last-event-id': 'x' } });
    expect(wrong.status).toBe(400);
    // An offset inside of a line: what follows is read from the next whole one.
    expect((await all(streamed(admin, id, '5'))).at(-1)?.event).toBe('end');
  });
});

describe('the history', () => {
  it('is listed newest first, page by page, with figures', async () => {
    const all3 = await panel.good<{ runs: { id: string }[]; next?: string }>(admin, 'GET', '/api/v1/runs?limit=3');
    const known = await runs.list();
    expect(all3.runs.map(({ id }) => id)).toEqual(known.slice(0, 3).map(({ id }) => id));
    const rest = await panel.good<{ runs: { id: string }[] }>(admin, 'GET', `/api/v1/runs?before=${all3.next}`);
    expect(rest.runs.map(({ id }) => id)).toEqual(known.slice(3).map(({ id }) => id));
    expect(rest.runs[0]).toMatchObject({ figures: { files: 3 }, archive: 'web-1', status: 'success' });
    expect(await panel.good(admin, 'GET', '/api/v1/runs?job=elsewhere')).toEqual({ runs: [] });
  });

  it('has the log of each run, piece by piece', async () => {
    const [, { id } = { id: '' }] = (await runs.list()).toReversed();
    const texts: string[] = [];
    let from = 0;
    for (let more = true; more;) {
      const piece = await panel.good<{ events: RunEvent[]; next: number; more: boolean }>(
        admin,
        'GET',
        `/api/v1/runs/${id}/log?limit=7&from=${from}`,
      );
      texts.push(...piece.events.flatMap((event) => (event.type === 'log' ? [event.text] : [])));
      ({ next: from, more } = piece);
    }
    expect(texts).toHaveLength(20);
  });

  it('of a run that was killed while it wrote is read as far as it goes', async () => {
    const run = await runs.create('nightly', 'job', 'manual');
    await run.abandon();
    appendFileSync(join(runs.directory, 'nightly', run.id, 'events.jsonl'), '{"type":"log","at":');
    expect(await panel.good(admin, 'GET', `/api/v1/runs/${run.id}/log`)).toMatchObject({
      events: [{ type: 'started' }],
      more: false,
    });
  });
});

describe('jobs', () => {
  it('are listed with how it stands with them', async () => {
    const { jobs } = await panel.good<{ jobs: Record<string, unknown>[] }>(admin, 'GET', '/api/v1/jobs');
    expect(jobs).toMatchObject([
      { name: 'broken', error: expect.stringContaining('broken.toml'), steps: [] },
      { name: 'elsewhere', steps: ['check'], missed: 0 },
      {
        name: 'nightly',
        repository: 'main',
        steps: ['backup'],
        schedule: '30 2 * * *',
        last: { status: 'lost' },
        last_success: { status: 'success' },
      },
    ]);
    const { next = '' } = await panel.good<{ next?: string }>(admin, 'GET', '/api/v1/jobs/nightly');
    expect(new Date(next).toISOString()).toMatch(/T02:30:00/);
    expect(Date.parse(next) - Date.now()).toBeLessThanOrEqual(86_400_000);
    expect((await panel.ask(admin, 'GET', '/api/v1/jobs/none')).status).toBe(404);
  });

  it('tell what is under way', async () => {
    const run = await runs.create('nightly', 'job', 'manual');
    expect(await panel.good(admin, 'GET', '/api/v1/jobs/nightly')).toMatchObject({ running: { id: run.id } });
    await ended(run);
    const { running, last } = await panel.good<{ running?: unknown; last?: unknown }>(
      admin,
      'GET',
      '/api/v1/jobs/nightly',
    );
    expect([running, last]).toEqual([undefined, expect.objectContaining({ id: run.id, status: 'success' })]);
  });

  it('that did not run when they should have are said to have been missed', async () => {
    expect(await panel.good(admin, 'GET', '/api/v1/jobs/nightly')).toMatchObject({ missed: 0 });
    panel.wait(2 * 86_400_000);
    const later = await panel.login('admin');
    expect(await panel.good(later, 'GET', '/api/v1/jobs/nightly')).toMatchObject({ missed: 2 });
    admin = later;
  });
});

describe('who is bound to a repository', () => {
  it('sees and starts only what works on it', async () => {
    const bound = await panel.account(admin, 'operator', { repositories: ['none'] });
    expect(await panel.good(bound, 'GET', '/api/v1/jobs')).toEqual({ jobs: [] });
    expect(await panel.good(bound, 'GET', '/api/v1/runs')).toEqual({ runs: [] });
    const [{ id } = { id: '' }] = await runs.list({ limit: 1 });
    for (const path of [`runs/${id}`, `runs/${id}/log`, `runs/${id}/events`, 'jobs/nightly']) {
      expect([path, (await panel.ask(bound, 'GET', `/api/v1/${path}`)).status]).toEqual([path, 404]);
    }
    expect((await panel.ask(bound, 'POST', `/api/v1/runs/${id}/cancel`)).status).toBe(404);
    expect((await panel.ask(bound, 'POST', '/api/v1/runs', { body: { job: 'nightly' } })).status).toBe(404);
  });

  it('cannot cancel what is over, or start what is no job', async () => {
    const [{ id } = { id: '' }] = await runs.list({ limit: 1 });
    expect(await panel.ask(admin, 'POST', `/api/v1/runs/${id}/cancel`)).toMatchObject({ status: 409 });
    for (const job of ['none', '-', '../../etc/passwd', '/etc/cairn/jobs/x', '']) {
      const { status } = await panel.ask(admin, 'POST', '/api/v1/runs', { body: { job } });
      expect([job, status === 404 || status === 400]).toEqual([job, true]);
    }
    const viewer = await panel.account(admin, 'viewer');
    expect((await panel.ask(viewer, 'POST', '/api/v1/runs', { body: { job: 'nightly' } })).status).toBe(403);
    expect((await panel.ask(viewer, 'GET', '/api/v1/runs')).status).toBe(200);
  });
});
