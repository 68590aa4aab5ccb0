import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemEnvironment, type Environment, type Timer } from '@cairn/core';
import { expect, it } from 'vitest';

import type { RunEvent } from '../runs/run-events.ts';
import { RunStore } from '../runs/run-store.ts';
import { RunLog } from './run-log.ts';

it('says now and then that a run goes on, unless it said something anyway', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-run-log-'));
  let nowMs = 0;
  const clock = { nowNs: () => BigInt(nowMs) * 1_000_000n, monotonicMs: () => nowMs };
  const environment: Environment = { ...systemEnvironment, clock };
  const said: [number, string][] = [];
  const onEvent = (event: RunEvent): void => {
    if (event.type === 'log') said.push([nowMs / 60_000, event.text]);
  };
  try {
    const writer = await new RunStore(directory).create('nightly', 'job', 'manual', { onEvent });
    const log = new RunLog(writer, environment);
    const over = new AbortController();
    // Hours pass at once; after 40 minutes something is said, after 3 hours it is over.
    const timer: Timer = {
      wait(ms) {
        const until = nowMs + ms;
        if (nowMs < 40 * 60_000 && until > 40 * 60_000) {
          nowMs = 40 * 60_000;
          log.info('halfway');
        }
        nowMs = until;
        if (nowMs >= 180 * 60_000) over.abort();
        return Promise.resolve();
      },
    };
    await log.keepAlive(30 * 60_000, timer, over.signal);
    expect(said.map(([minutes]) => minutes)).toEqual([30, 40, 70, 100, 130, 160]);
    expect(said[0]?.[1]).toMatch(/^goes on/);
    await writer.abandon();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
