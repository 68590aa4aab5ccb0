import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemTimer } from '@cairn/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { claimHolder, claimJob } from './claim.ts';
import type { RunEvent } from './run-events.ts';
import { isRunId, newRunId } from './run-id.ts';
import { RunStore } from './run-store.ts';

const ENDED = { status: 'success', exit: 0, figures: { files: 3 }, archive: 'web1-2026' } as const;

let directory = '';
let store: RunStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-runs-'));
  // Time passes twenty times as fast.
  const timer = { wait: (ms: number, signal?: AbortSignal) => systemTimer.wait(ms / 20, signal) };
  store = new RunStore(join(directory, 'runs'), { timer });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const eventsOf = (job: string, id: string): string => join(directory, 'runs', job, id, 'events.jsonl');

async function collect(id: string, from = 0): Promise<{ readonly events: RunEvent[]; readonly offset: number }> {
  const events: RunEvent[] = [];
  let offset = from;
  for await (const followed of store.follow(id, from)) {
    events.push(followed.event);
    offset = followed.offset;
  }
  return { events, offset };
}

describe('the record of runs', () => {
  it('tells how a run went', async () => {
    const writer = await store.create('nightly', 'job', 'manual');
    expect(await store.get(writer.id)).toMatchObject({ status: 'running', job: 'nightly', pid: process.pid });
    writer.append({ type: 'step-started', step: 'backup' });
    await writer.end(ENDED);
    expect(await store.get(writer.id)).toMatchObject({ ...ENDED, trigger: 'manual', kind: 'job' });
    expect(isRunId(writer.id)).toBe(true);
  });

  it('lists runs of all jobs, the newest first, page by page', async () => {
    const ids: string[] = [];
    for (const job of ['one', 'two', 'one', 'two', 'one']) {
      const writer = await store.create(job, 'job', 'schedule');
      await writer.end(ENDED);
      ids.unshift(writer.id);
      // Ids have milliseconds.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect((await store.list()).map(({ id }) => id)).toEqual(ids);
    expect((await store.list({ limit: 2 })).map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect((await store.list({ before: ids[1] ?? '' })).map(({ id }) => id)).toEqual(ids.slice(2));
    expect((await store.list({ job: 'two' })).map(({ id }) => id)).toEqual([ids[1], ids[3]]);
  });

  it('is for its owner only', async () => {
    const writer = await store.create('nightly', 'job', 'manual');
    await writer.end(ENDED);
    const modes = ['runs', 'runs/nightly', `runs/nightly/${writer.id}`].map(
      (name) => statSync(join(directory, name)).mode,
    );
    expect(modes.map((mode) => mode & 0o777)).toEqual([0o700, 0o700, 0o700]);
    expect(statSync(eventsOf('nightly', writer.id)).mode & 0o777).toBe(0o600);
  });

  it('calls a run lost whose process is gone', async () => {
    const writer = await store.create('nightly', 'job', 'manual');
    await writer.abandon();
    expect(await store.get(writer.id)).toMatchObject({ status: 'lost', exit: undefined });
    const next = await store.create('nightly', 'job', 'manual');
    expect(await store.get(writer.id)).toMatchObject({ status: 'lost' });
    expect(await store.get(next.id)).toMatchObject({ status: 'running' });
    await next.end(ENDED);
  });

  it('survives a last line that was torn off', async () => {
    const writer = await store.create('nightly', 'job', 'manual');
    writer.append({ type: 'step-started', step: 'backup' });
    await writer.end(ENDED);
    const whole = readFileSync(eventsOf('nightly', writer.id));
    for (let length = whole.length - 2; length > whole.length - 40; length -= 7) {
      writeFileSync(eventsOf('nightly', writer.id), whole.subarray(0, length));
      expect(await store.get(writer.id)).toMatchObject({ status: 'lost', job: 'nightly' });
      const { events } = await collect(writer.id);
      expect(events.map(({ type }) => type)).toEqual(['started', 'step-started']);
    }
    appendFileSync(eventsOf('nightly', writer.id), '\n{"type":"surprise","at":""}\nno JSON\n');
    expect((await collect(writer.id)).events).toHaveLength(2);
  });

  it('says when there is no such run, whatever the id is', async () => {
    for (const id of ['20260101-000000000-00000000', '', '../../etc/passwd', 'a/b', '.', 'x'.repeat(300)]) {
      await expect(store.get(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(collect(id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  });

  it('refuses names and ids that cannot be', async () => {
    for (const job of ['', '.', '../x', 'Big', 'a/b', 'a'.repeat(64), '-x']) {
      await expect(store.create(job, 'job', 'manual')).rejects.toMatchObject({ code: 'USAGE' });
    }
    await expect(store.create('nightly', 'job', 'api', { id: '../x' })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('following a run', () => {
  it('gives what is there, waits for more, ends with it, and goes on from an offset', async () => {
    const writer = await store.create('nightly', 'job', 'manual');
    const seen: RunEvent['type'][] = [];
    const following = (async () => {
      for await (const { event } of store.follow(writer.id)) {
        seen.push(event.type);
        if (event.type === 'started') writer.append({ type: 'step-started', step: 'backup' });
        if (event.type === 'step-started') await writer.end(ENDED);
      }
    })();
    await following;
    expect(seen).toEqual(['started', 'step-started', 'ended']);

    const first = await store.follow(writer.id)[Symbol.asyncIterator]().next();
    const { events, offset } = await collect(writer.id, first.value?.offset ?? 0);
    expect(events.map(({ type }) => type)).toEqual(['step-started', 'ended']);
    expect(offset).toBe((await store.get(writer.id)).size);
  });

  it('ends when the run turns out to be lost, and when nobody listens any more', async () => {
    const writer = await store.create('nightly', 'job', 'manual');
    const stop = new AbortController();
    const stopped = (async () => {
      for await (const { event } of store.follow(writer.id, 0, stop.signal)) if (event.type === 'started') stop.abort();
    })();
    await stopped;
    const lost = collect(writer.id);
    await writer.abandon();
    expect((await lost).events.map(({ type }) => type)).toEqual(['started']);
  });
});

describe('the claim of a job', () => {
  it('is held by one run at a time, and says by which', async () => {
    const claim = await claimJob(directory, 'nightly', 'run-1234');
    expect(await claimHolder(directory, 'nightly')).toEqual({ run: 'run-1234' });
    await expect(claimJob(directory, 'nightly', 'run-5678')).rejects.toMatchObject({
      code: 'JOB_BUSY',
      details: { run: 'run-1234' },
    });
    await (await claimJob(directory, 'other', 'run-5678')).release();
    await (await claimJob(`${directory}/x`, 'nightly', 'run-5678')).release();
    await claim.release();
    expect(await claimHolder(directory, 'nightly')).toBeUndefined();
    await (await claimJob(directory, 'nightly', 'run-5678')).release();
  });

  it('goes to one of many who want it at once', async () => {
    const tries = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => claimJob(directory, 'nightly', `run-${1000 + i}`)),
    );
    const held = tries.filter((one) => one.status === 'fulfilled');
    expect(held).toHaveLength(1);
    await held[0]?.value.release();
  });
});

describe('ids of runs', () => {
  it('sort by time', () => {
    const at = (ms: number): string =>
      newRunId({
        clock: { nowNs: () => BigInt(ms) * 1_000_000n, monotonicMs: () => 0 },
        random: { bytes: (length) => new Uint8Array(length) },
      });
    expect(at(Date.UTC(2026, 10, 21, 17, 10, 48, 123))).toBe('20261121-171048123-00000000');
    expect(at(0) < at(1)).toBe(true);
    expect(at(Date.UTC(1999, 11, 31)) < at(Date.UTC(2000, 0, 1))).toBe(true);
  });
});
