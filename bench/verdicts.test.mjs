// @ts-check
import { describe, expect, it } from 'vitest';
import { renderReport } from './report.mjs';
import { median, memoryVerdict, speedVerdict, storedVerdict } from './verdicts.mjs';

/** @typedef {import('./results.mjs').Section} Section */

/**
 * @param {Record<string, number[]>} walls of the first backup, by program
 * @param {Record<string, number[]>} [stored]
 * @returns {Section}
 */
function section(walls, stored = {}) {
  const measured = Object.entries(walls).map(([name, list]) => [
    name,
    list.map((wall) => ({ wall, user: 1, sys: 1, rss: 100e6 })),
  ]);
  return {
    origin: { command: 'bash bench/run.sh', date: '2026-01-01', machine: 'a machine', peers: 'installed' },
    set: 'large',
    cache: 'cold',
    scale: 1,
    rounds: 3,
    data: { files: 2, bytes: 1e9 },
    programs: [
      { name: 'borg', label: 'borg', version: '1', peer: true },
      { name: 'restic', label: 'restic', version: '1', peer: true },
      { name: 'cairn', label: 'Cairn', version: '1', peer: false },
    ],
    outcome: { times: { first: Object.fromEntries(measured) }, stored: { first: stored }, failures: {}, compared: [] },
  };
}

describe('verdicts', () => {
  it('takes the middle value, or the mean of the two middle ones', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 1, 5, 3])).toBe(4);
    expect(() => median([])).toThrow('no values');
  });

  it('compares with the fastest peer by medians', () => {
    const verdict = speedVerdict(section({ borg: [9, 6, 6], restic: [4, 8, 7], cairn: [4, 3, 99] }), 'first');
    expect(verdict).toMatchObject({ value: 6 / 4, reached: true });
    expect(speedVerdict(section({ borg: [6, 6, 6], restic: [5, 5, 5], cairn: [4, 4, 4] }), 'first').reached).toBe(
      false,
    );
  });

  it('leaves out a program with missing rounds', () => {
    const verdict = speedVerdict(section({ borg: [6, 6, 6], restic: [1], cairn: [4, 4, 4] }), 'first');
    expect(verdict).toMatchObject({ value: 1.5, reached: true });
    expect(speedVerdict(section({ borg: [6, 6, 6], cairn: [4] }), 'first').reached).toBeUndefined();
  });

  it('lets stored bytes be 3 % above the smallest peer', () => {
    const walls = { borg: [1, 1, 1], cairn: [1, 1, 1] };
    const stored = (/** @type {number} */ cairn) => ({ borg: [100, 100, 100], cairn: [cairn, cairn, cairn] });
    expect(storedVerdict(section(walls, stored(103)), 'first').reached).toBe(true);
    expect(storedVerdict(section(walls, stored(104)), 'first').reached).toBe(false);
  });

  it('judges memory by the highest peak of any round', () => {
    const one = section({ cairn: [1, 1, 1] });
    expect(memoryVerdict(one, 'first').reached).toBe(true);
    const last = one.outcome.times.first?.['cairn']?.[2];
    if (last) last.rss = 256e6;
    expect(memoryVerdict(one, 'first').reached).toBe(false);
  });

  it('lists missed rows and failures at the top of the report, notes at the end', () => {
    const missed = section({ borg: [5, 5, 5], restic: [5, 5, 5], cairn: [4, 4, 4] });
    missed.outcome.failures = { restic: 'check: exit 1 from: restic check\nmore' };
    const report = renderReport({ sections: { one: missed } }, 'Why it is slow.');
    expect(report).toContain('- large (installed peers, cold): first backup is 1.25, target ≥ 1.5');
    expect(report).toContain('- large: restic failed: check: exit 1 from: restic check\n');
    expect(report).toContain('| 4.00 (4.00–4.00) | 1.25  | ≥ 1.5  | **no**  |');
    expect(report.trimEnd().endsWith('## Notes\n\nWhy it is slow.')).toBe(true);
  });
});
