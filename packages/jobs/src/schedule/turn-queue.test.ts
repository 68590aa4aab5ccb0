import { describe, expect, it } from 'vitest';

import { TurnQueue, type Turn, type TurnQueueOptions } from './turn-queue.ts';

interface Played {
  readonly turns: string[];
  readonly exits: ReadonlyMap<string, number>;
}

/** Plays jobs that end as they are told, one exit status for each of their turns. */
async function play(
  ends: Readonly<Record<string, readonly number[]>>,
  options: Partial<TurnQueueOptions> = {},
): Promise<Played> {
  const turns: string[] = [];
  let nowMs = 0;
  const queue = new TurnQueue({
    clock: { nowNs: () => 0n, monotonicMs: () => nowMs },
    start: async ({ job, attempt }: Turn) => {
      turns.push(`${job}${attempt}`);
      nowMs += 1000;
      return ends[job]?.[turns.filter((turn) => turn.startsWith(job)).length - 1] ?? 0;
    },
    ...options,
  });
  for (const job of Object.keys(ends)) queue.add(job, 'manual');
  return { exits: await queue.drain(new AbortController().signal), turns };
}

describe('jobs in turn', () => {
  it('runs each once, and one that fails again after the others', async () => {
    const { turns, exits } = await play({ a: [30, 0], b: [0], c: [30, 30, 30], d: [3] }, { mostAttempts: 3 });
    expect(turns).toEqual(['a1', 'b1', 'c1', 'd1', 'a2', 'c2', 'c3']);
    expect(Object.fromEntries(exits)).toEqual({ a: 0, b: 0, c: 30, d: 3 });
  });

  it('does not try again what is wrong in itself', async () => {
    expect((await play({ a: [2, 0], b: [0] }, { mostAttempts: 3 })).turns).toEqual(['a1', 'b1']);
  });

  it('begins nothing when time is over', async () => {
    const { turns, exits } = await play({ a: [30], b: [0], c: [0] }, { mostAttempts: 9, mostMs: 1500 });
    expect(turns).toEqual(['a1', 'b1']);
    expect(exits.has('c')).toBe(false);
  });

  it('lets others go first when a job is too long, which costs it no attempt', async () => {
    const turns: string[] = [];
    const queue = new TurnQueue({
      clock: { nowNs: () => 0n, monotonicMs: () => performance.now() },
      sliceMs: 20,
      start: ({ job, attempt }, signal) => {
        turns.push(`${job}${attempt}`);
        if (job !== 'long' || turns.length > 2) return Promise.resolve(0);
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve(130)));
      },
    });
    queue.add('long', 'schedule');
    queue.add('short', 'schedule');
    await queue.drain(new AbortController().signal);
    expect(turns).toEqual(['long1', 'short1', 'long1']);
  });

  it('takes what is added meanwhile, once, and nothing after the signal', async () => {
    const turns: string[] = [];
    const stop = new AbortController();
    const queue = new TurnQueue({
      clock: { nowNs: () => 0n, monotonicMs: () => 0 },
      start: async ({ job }) => {
        turns.push(job);
        if (turns.length === 1) for (const name of ['b', 'b', 'a', 'c']) queue.add(name, 'change');
        if (job === 'a' && turns.length > 1) stop.abort();
        return 0;
      },
    });
    queue.add('a', 'schedule');
    await queue.drain(stop.signal);
    expect(turns).toEqual(['a', 'b', 'a']);
    expect(queue.has('c')).toBe(false);
  });
});
