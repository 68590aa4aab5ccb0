// @ts-check
import { describe, expect, it } from 'vitest';
import { LOCAL, OVER_SSH, pageWith, renderMounts } from './mount-report.mjs';

const ORIGIN = {
  command: 'node bench/mount.mjs',
  date: '2026-01-01',
  machine: 'a machine',
  versions: ['cairn 1', 'borg 1'],
  data: '3 entries, 1 MiB',
  archives: 2,
  rounds: 1,
};

/** Cells of the row of that name. @param {string} section @param {string} row */
function cells(section, row) {
  const line = section.split('\n').find((one) => one.startsWith(`| ${row} `)) ?? '';
  return line.split('|').map((cell) => cell.trim());
}

describe('a section', () => {
  it('says of each row whether the faster peer was beaten, and as often as was aimed at', () => {
    const times = { cairn: [100], borg: [250], restic: [400] };
    const rows = [
      { row: 'first ls', target: 1, times: { cairn: [600], borg: [700], restic: [900] } },
      { row: 'large', target: 3, times },
      { row: 'small', target: 1, times },
    ];
    const section = renderMounts(ORIGIN, rows, { cairn: 201, borg: 90, restic: 300 });
    // The first look has a bound of its own, half a second.
    expect(cells(section, 'first ls').slice(-4, -1)).toEqual(['1.17', 'first, and < 500 ms', '**no**']);
    expect(cells(section, 'large').slice(-4, -1)).toEqual(['2.50', '≥ 3', '**no**']);
    expect(cells(section, 'small').slice(-4, -1)).toEqual(['2.50', 'first', 'yes']);
    expect(cells(section, 'peak memory of the mount, MiB').slice(-3, -1)).toEqual(['< 200', '**no**']);
  });
});

describe('the page', () => {
  const titles = (/** @type {string} */ page) => [...page.matchAll(/^## (.*)$/gm)].map(([, title]) => title);

  it('gets a section anew, and keeps the other one and what somebody wrote', () => {
    const local = pageWith('', LOCAL, 'first run');
    const both = pageWith(`${local}\n## Why\n\nBecause.\n`, OVER_SSH, 'through ssh');
    expect(titles(both)).toEqual([LOCAL, OVER_SSH, 'Why']);
    const again = pageWith(both, LOCAL, 'second run');
    expect(again).toBe(both.replace('first run', 'second run'));
    expect(again).toContain('through ssh');
    expect(again).toContain('Because.');
  });

  it('has the sections in their order, whichever is made first', () => {
    expect(titles(pageWith(pageWith('', OVER_SSH, 'a'), LOCAL, 'b'))).toEqual([LOCAL, OVER_SSH]);
    expect(pageWith('', OVER_SSH, 'a')).toMatch(/^# Reading through a mount\n/);
  });
});
