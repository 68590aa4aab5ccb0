import { isCairnError } from '@cairn/core';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { bandwidthByHour, isWithin } from './bandwidth.ts';
import { assertFreeSpace } from './free-space.ts';
import { silentHosts } from './reachable-hosts.ts';

describe('bandwidth by hour', () => {
  it.each([
    ['08:00-18:00', '08:00', true],
    ['08:00-18:00', '17:59', true],
    ['08:00-18:00', '18:00', false],
    ['22:00-06:00', '23:30', true],
    ['22:00-06:00', '05:59', true],
    ['22:00-06:00', '06:00', false],
    ['00:00-24:00', '00:00', true],
    ['00:00-24:00', '23:59', true],
    ['07:00-07:00', '12:00', true],
  ])('%s at %s: %s', (hours, time, expected) => {
    expect(isWithin(hours, time)).toBe(expected);
  });

  it('changes while the job runs, by the clock of its time zone', () => {
    let now = '2026-07-01T05:59:30Z';
    const clock = { nowNs: () => BigInt(Date.parse(now)) * 1_000_000n, monotonicMs: () => 0 };
    const rules = [
      { hours: '08:00-18:00', upload: 1000 },
      { hours: '18:00-08:00', download: 2000 },
    ];
    // Madrid is two hours ahead in July.
    const bandwidth = bandwidthByHour(rules, 'Europe/Madrid', clock);
    expect([bandwidth?.upload(), bandwidth?.download()]).toEqual([undefined, 2000]);
    now = '2026-07-01T06:00:00Z';
    expect([bandwidth?.upload(), bandwidth?.download()]).toEqual([1000, undefined]);
    now = '2026-07-01T16:00:00Z';
    expect(bandwidth?.upload()).toBeUndefined();
    expect(bandwidthByHour([], 'UTC', clock)).toBeUndefined();
  });
});

describe('free space', () => {
  it('is looked at where a place would be made', async () => {
    const places = [{ path: '/tmp/not/there/yet', what: 'the cache' }];
    await assertFreeSpace(places, 1);
    const error: unknown = await assertFreeSpace(places, Number.MAX_SAFE_INTEGER).catch((reason: unknown) => reason);
    expect(isCairnError(error, 'STORE_FULL')).toBe(true);
    expect(String(error)).toContain('for the cache at /tmp');
  });
});

describe('other hosts', () => {
  it('are told when they take no connection', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await silentHosts([`127.0.0.1:${port}`, '127.0.0.1:1'])).toEqual(['127.0.0.1:1']);
    server.close();
  });
});

describe('priority', () => {
  it('is that of all threads, and of what is started later', () => {
    const module = fileURLToPath(new URL('../../dist/limits/priority.js', import.meta.url));
    const script = `
      import { readdirSync, readFileSync } from 'node:fs';
      import { execFileSync } from 'node:child_process';
      import { lowerPriority } from ${JSON.stringify(module)};
      await Promise.all(Array.from({ length: 4 }, () => import('node:fs/promises').then((fs) => fs.stat('/'))));
      const warnings = await lowerPriority({ nice: 7, ionice: 'idle' });
      const nices = readdirSync('/proc/self/task').map((tid) => readFileSync('/proc/self/task/' + tid + '/stat', 'utf8').replace(/.*\\)/, '').split(' ')[17]);
      const child = execFileSync('nice', { encoding: 'utf8' }).trim();
      const io = execFileSync('ionice', { encoding: 'utf8' }).trim();
      process.stdout.write(JSON.stringify({ warnings, nices: [...new Set(nices)], child, io }));
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ warnings: [], nices: ['7'], child: '7', io: 'idle' });
  });
});
