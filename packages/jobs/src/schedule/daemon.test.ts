import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CairnError } from '@cairn/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { ListedJob } from '../job-file/jobs-directory.ts';
import { parseJobText } from '../job-file/read-job.ts';
import { RunStore } from '../runs/run-store.ts';
import { Daemon } from './daemon.ts';
import { TurnQueue } from './turn-queue.ts';

const MINUTE = 60_000;
const at = (text: string): number => Date.parse(`${text}Z`);

/** A machine whose clock goes as far as anybody waits, and that may be set or sleep. */
class Machine {
  wallMs: number;
  monotonicMs = 0;
  readonly began: [string, string, string][] = [];
  readonly said: string[] = [];
  readonly stop = new AbortController();
  jobs: ListedJob[] = [];
  /** The jobs directory cannot be read. */
  isBroken = false;
  /** What happens at a moment of the monotonic clock, once. */
  events: { readonly atMs: number; readonly act: () => void }[] = [];
  private readonly endMs: number;

  constructor(from: string, hours: number) {
    this.wallMs = at(from);
    this.endMs = hours * 60 * MINUTE;
  }

  job(name: string, schedule: string): void {
    const text = `[repository]\naddress = "/x"\n[check]\n[schedule]\n${schedule}\n`;
    this.jobs = [...this.jobs.filter((job) => job.name !== name), { name, file: name, job: parseJobText(text, name) }];
  }

  async run(runs: RunStore): Promise<[string, string, string][]> {
    const environment = {
      clock: { nowNs: () => BigInt(this.wallMs) * 1_000_000n, monotonicMs: () => this.monotonicMs },
      random: { bytes: (length: number) => new Uint8Array(length) },
    };
    const timer = {
      wait: async (ms: number): Promise<void> => {
        // Whatever was started in between comes first.
        await new Promise((resolve) => setImmediate(resolve));
        this.wallMs += ms;
        this.monotonicMs += ms;
        for (const event of this.events.filter(({ atMs }) => atMs <= this.monotonicMs)) event.act();
        this.events = this.events.filter(({ atMs }) => atMs > this.monotonicMs);
        if (this.monotonicMs >= this.endMs) this.stop.abort();
      },
    };
    const queue = new TurnQueue({
      clock: environment.clock,
      start: async ({ job, trigger }) => {
        this.began.push([job, trigger, new Date(this.wallMs).toISOString().slice(0, 16)]);
        return 0;
      },
    });
    const log = (text: string): void => void this.said.push(text);
    const listJobs = async (): Promise<ListedJob[]> => {
      if (this.isBroken) throw new CairnError('USAGE', 'no such disk');
      return this.jobs;
    };
    const { signal } = this.stop;
    const directories = { state: directory, cache: directory };
    await new Daemon({ environment, timer, runs, listJobs, queue, log, host: 'web1', directories, signal }).run();
    return this.began;
  }
}

let directory = '';
let runs: RunStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-daemon-'));
  runs = new RunStore(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const NIGHTLY = 'cron = "30 2 * * *"\ntime-zone = "Europe/Berlin"';

describe('the daemon', () => {
  it('runs a nightly job once each night, also when clocks change', async () => {
    const machine = new Machine('2026-03-27T12:00', 96);
    machine.job('nightly', NIGHTLY);
    expect(await machine.run(runs)).toEqual([
      ['nightly', 'schedule', '2026-03-28T01:30'],
      ['nightly', 'schedule', '2026-03-29T01:00'],
      ['nightly', 'schedule', '2026-03-30T00:30'],
      ['nightly', 'schedule', '2026-03-31T00:30'],
    ]);
    const autumn = new Machine('2026-10-24T12:00', 48);
    autumn.job('nightly', NIGHTLY);
    expect((await autumn.run(runs)).map(([, , time]) => time)).toEqual(['2026-10-25T00:30', '2026-10-26T01:30']);
  });

  it('catches up by one run after the machine slept, or tells that it did not', async () => {
    for (const [catchUp, times] of [
      ['true', ['2026-01-04T12:00', '2026-01-05T01:30']],
      ['false', ['2026-01-05T01:30']],
    ] as const) {
      const machine = new Machine('2026-01-01T12:00', 24);
      machine.job('nightly', `${NIGHTLY}\ncatch-up = ${catchUp}`);
      // Three days pass while nothing runs.
      machine.events = [{ atMs: 30_000, act: () => (machine.wallMs += 72 * 60 * MINUTE) }];
      expect((await machine.run(runs)).map(([, , time]) => time)).toEqual(times);
      expect(machine.said).toEqual([
        catchUp === 'true'
          ? 'nightly: 3 scheduled runs were missed; running now'
          : 'nightly: 3 scheduled runs were missed',
      ]);
    }
  });

  it('does not run twice when the clock is set back, and not late when it was in the future', async () => {
    const machine = new Machine('2026-01-01T00:00', 30);
    machine.job('nightly', NIGHTLY);
    // At 01:31, after the run, back by four minutes; later, into 2030 and back.
    machine.events = [
      { atMs: 91 * MINUTE, act: () => (machine.wallMs -= 4 * MINUTE) },
      { atMs: 600 * MINUTE, act: () => (machine.wallMs += 4 * 365 * 24 * 60 * MINUTE) },
      { atMs: 602 * MINUTE, act: () => (machine.wallMs -= 4 * 365 * 24 * 60 * MINUTE) },
    ];
    const times = (await machine.run(runs)).map(([, , time]) => time);
    expect(times[0]).toBe('2026-01-01T01:30');
    expect(times.filter((time) => time.startsWith('2026-01-01T01'))).toHaveLength(1);
    expect(times.at(-1)).toBe('2026-01-02T01:30');
  });

  it('begins where the record of runs ends', async () => {
    const writer = await new RunStore(directory, {
      environment: {
        clock: { nowNs: () => BigInt(at('2026-01-01T01:30')) * 1_000_000n, monotonicMs: () => 0 },
        random: { bytes: (length) => new Uint8Array(length) },
      },
    }).create('nightly', 'job', 'schedule');
    await writer.end({ status: 'success', exit: 0, figures: {} });
    const machine = new Machine('2026-01-03T12:00', 1);
    machine.job('nightly', NIGHTLY);
    machine.job('new', NIGHTLY);
    expect((await machine.run(runs)).map(([job]) => job)).toEqual(['nightly']);
  });

  it('catches up although a single step ran meanwhile', async () => {
    const clock = { nowNs: () => BigInt(at('2026-01-02T11:00')) * 1_000_000n, monotonicMs: () => 0 };
    const random = { bytes: (length: number) => new Uint8Array(length) };
    const store = new RunStore(directory, { environment: { clock, random } });
    for (const [kind, id] of [
      ['job', '20260101-013000000-00000000'],
      ['check', '20260102-110000000-00000000'],
    ] as const) {
      await (await store.create('nightly', kind, 'manual', { id })).end({ status: 'success', exit: 0, figures: {} });
    }
    const file = join(directory, 'nightly/20260101-013000000-00000000/events.jsonl');
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('2026-01-02T11:00', '2026-01-01T01:30'));
    const machine = new Machine('2026-01-02T12:00', 1);
    machine.job('nightly', NIGHTLY);
    expect(await machine.run(runs)).toEqual([['nightly', 'schedule', '2026-01-02T12:00']]);
  });

  it('goes on when the jobs cannot be listed for a while, and tells so once', async () => {
    const machine = new Machine('2026-01-01T00:00', 4);
    machine.job('nightly', NIGHTLY);
    machine.events = [
      { atMs: 10 * MINUTE, act: () => (machine.isBroken = true) },
      { atMs: 100 * MINUTE, act: () => (machine.isBroken = false) },
    ];
    expect(await machine.run(runs)).toEqual([['nightly', 'schedule', '2026-01-01T01:40']]);
    expect(machine.said[0]).toBe('the jobs cannot be looked at now: no such disk');
    expect(machine.said.filter((text) => text.includes('cannot be looked at'))).toHaveLength(1);
    const broken = new Machine('2026-01-01T00:00', 1);
    broken.isBroken = true;
    await expect(broken.run(runs)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('reads changed files again, and tells once of one that is wrong', async () => {
    const machine = new Machine('2026-01-01T12:00', 3);
    machine.job('nightly', NIGHTLY);
    machine.events = [
      { atMs: 10 * MINUTE, act: () => machine.job('nightly', 'cron = "0 14 * * *"\ntime-zone = "UTC"') },
      { atMs: 90 * MINUTE, act: () => machine.job('gone', 'cron = "30 14 * * *"\ntime-zone = "UTC"') },
      { atMs: 100 * MINUTE, act: () => (machine.jobs = machine.jobs.filter(({ name }) => name !== 'gone')) },
    ];
    expect(await machine.run(runs)).toEqual([['nightly', 'schedule', '2026-01-01T14:00']]);
  });
});
