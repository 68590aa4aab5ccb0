import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Seeded } from '@cairn/core/testing';

import { SharedRepository } from './support/killable.ts';

/** More by `CAIRN_ROUNDS=1000`, others by `CAIRN_SEED=…`. */
const ROUNDS = Number(process.env['CAIRN_ROUNDS'] ?? 100);
const SEED = process.env['CAIRN_SEED'] ?? 'killed';
/** Milliseconds that a round may take on a busy machine. */
const ROUND_MS = 5_000;

const PRUNE = ['prune', '--keep-last', '3', '--max-share', '100'];
const COMPACT = ['compact', '--grace', '0'];

let repository: SharedRepository;
beforeEach(() => {
  repository = new SharedRepository();
});
afterEach(() => repository.remove());

const backupOf = (series: string): string[] => [
  'backup',
  repository.source(series),
  '--series',
  series,
  '--threads',
  '0',
];

describe('cairn backup, prune and compact', () => {
  it(
    `are killed at any moment, and hurt nothing (seed "${SEED}", ${ROUNDS} rounds)`,
    { timeout: 60_000 + ROUNDS * ROUND_MS },
    async () => {
      const random = new Seeded(SEED);
      const commands = [backupOf('web'), PRUNE, COMPACT] as const;
      const wholeMs = [0, 0, 0];
      const killed = [0, 0, 0];
      for (let round = 0; round < 4; round++) {
        repository.changeSource('web', random);
        for (const [i, command] of commands.entries()) {
          const started = performance.now();
          expect(await repository.run(command)).toMatchObject({ status: 0 });
          wholeMs[i] = performance.now() - started;
          expect(await repository.mistakes()).toEqual([]);
        }
      }
      for (let round = 0; round < ROUNDS; round++) {
        const i = random.oneOf([0, 0, 1, 2, 2]);
        repository.changeSource('web', random);
        const before = repository.committed;
        // Before its first call of the store a command can hurt nothing.
        const whole = wholeMs[i] ?? 0;
        const killAfterMs = whole * 0.4 + random.below(Math.ceil(whole * 0.7));
        const ended = await repository.run(commands[i] ?? [], killAfterMs);
        if (ended === undefined) killed[i] = (killed[i] ?? 0) + 1;
        else expect(ended.status, ended.stderr).toBe(0);
        expect(await repository.mistakes({ data: round % 20 === 19 }), `round ${round}, ${commands[i]?.[0]}`).toEqual(
          [],
        );
        if (i === 0 && ended !== undefined) expect(repository.committed, `round ${round}`).toBe(before + 1);
      }
      expect(killed.reduce((sum, count) => sum + count)).toBeGreaterThan(ROUNDS / 4);
      for (const command of commands) expect(await repository.run(command)).toMatchObject({ status: 0 });
      expect(await repository.mistakes({ data: true })).toEqual([]);
    },
  );
});

describe('four writers and two collectors', () => {
  it('at once, some of them killed, hurt nothing', { timeout: 180_000 }, async () => {
    const random = new Seeded(SEED);
    const series = ['ada', 'bob', 'cyd', 'dan'];
    for (let round = 0; round < 5; round++) {
      for (const name of series) repository.changeSource(name, random);
      const commands = [...series.map(backupOf), COMPACT, [...PRUNE, '--series', 'ada'], COMPACT];
      // One of them does not come to its end.
      const victim = random.below(commands.length);
      const ended = await Promise.all(
        commands.map((command, i) => repository.run(command, i === victim ? 300 + random.below(1_500) : undefined)),
      );
      for (const [i, one] of ended.entries()) {
        // A plan may be overtaken by the others, and the series that is pruned has no archive at first.
        if (one !== undefined) expect([0, 15, 16], `${commands[i]?.join(' ')}: ${one.stderr}`).toContain(one.status);
      }
      expect(await repository.mistakes({ data: true })).toEqual([]);
    }
    expect(await repository.run(COMPACT)).toMatchObject({ status: 0 });
    const opened = await repository.open();
    expect(new Set(opened.archives().map(({ descriptor }) => descriptor.series))).toEqual(new Set(series));
    await opened.close();
  });
});
