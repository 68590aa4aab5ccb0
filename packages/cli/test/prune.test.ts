import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';

let place: Workplace;
let env: Record<string, string>;

beforeAll(() => {
  place = new Workplace();
  env = { CAIRN_REPOSITORY: place.path('repo') };
  place.good(['init'], { env });
  place.file('source/file', 'content');
  for (let i = 0; i < 7; i++) {
    place.good(['backup', place.path('source'), '--series', i < 6 ? 'web' : 'mail'], { env });
  }
});
afterAll(() => place.remove());

const archives = (): number => place.json<unknown[]>(['list'], { env }).length;

describe('cairn prune', () => {
  it('does nothing without a policy, and shows one', () => {
    const { status, stderr } = place.cairn(['prune'], { env });
    expect(status).toBe(2);
    expect(stderr).toContain('--keep-daily 7 --keep-weekly 8 --keep-monthly 4');
    expect(archives()).toBe(7);
  });

  it.each([
    [['--keep-daily', '-2'], 'whole number'],
    [['--keep-daily', 'many'], 'whole number'],
    [['--keep-within', '2 weeks'], 'not an interval'],
    [['--keep-default', '--keep-daily', '3'], 'stands for a whole policy'],
    [['--keep-daily', '3', '--time-zone', 'Nowhere'], 'no time zone'],
    [['--keep-minutely', '3', '--algorithm', 'proxmox'], 'no rule minutely'],
  ])('refuses %j', (args, message) => {
    const { status, stderr } = place.cairn(['prune', ...args], { env });
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  it('takes every rule that there is', () => {
    const rules = ['last', 'minutely', 'hourly', 'daily', 'weekly', 'monthly', '13weekly', 'yearly'];
    const args = rules.flatMap((rule, i) => [`--keep-${rule}`, i === 7 ? 'all' : String(i + 1)]);
    const { policy } = place.json<{ policy: string }>(['prune', '--dry-run', '--max-share', '100', ...args], { env });
    expect(policy).toBe('1 last, 2 minutely, 3 hourly, 4 daily, 5 weekly, 6 monthly, 7 13weekly, all yearly');
  });

  it('prints with --dry-run what would become of each archive, and exits as the run would', () => {
    const { status, stdout, stderr } = place.cairn(['prune', '--keep-last', '2', '--dry-run', '--time-zone', 'UTC'], {
      env,
    });
    expect(status).toBe(17);
    expect(stderr).toContain('policy: 2 last (borg), time zone UTC, by time received');
    expect(stderr).toContain('--max-share');
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.startsWith('  keep'))).toHaveLength(3);
    expect(lines.filter((line) => line.startsWith('  remove'))).toHaveLength(4);
    expect(stdout).toMatch(/^web: 6 archives, 2 kept, 4 to be removed$/m);
    expect(stdout).toMatch(/^ {2}keep {4}web-\S+ {2,}\d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}last 1\/2$/m);
    expect(archives()).toBe(7);
  });

  it('refuses to remove more than half of a series, and does it when it is allowed', () => {
    const refused = place.cairn(['prune', '--keep-last', '2'], { env });
    expect(refused.status).toBe(17);
    expect(refused.stderr).toContain('4 of the 6 archives of "web"');
    expect(archives()).toBe(7);
    const output = place.good(['prune', '--keep-last', '2', '--series', 'web', '--max-share', '70'], { env });
    expect(output).toMatch(/^web: 6 archives, 2 kept, 4 removed$/m);
    expect(output).not.toContain('keep ');
    expect(output).not.toContain('mail');
    expect(archives()).toBe(3);
    // Who it was, and why.
    expect(place.good(['log', '--kind', 'delete'], { env })).toMatch(/; \S+@\S+: prune: 2 last\n$/);
    place.good(['compact', '--grace', '0'], { env });
    expect(place.good(['log', '--kind', 'condemn'], { env })).toMatch(/^ .* CONDEMN +dropped .*; \S+@\S+: \S/m);
    const missing = place.cairn(['prune', '--keep-last', '2', '--series', 'nothing'], { env });
    expect(missing.status).toBe(15);
  });
});
