import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { RunStore } from '../dist/index.js';

const HOLDER = fileURLToPath(new URL('support/claim-and-wait.mjs', import.meta.url));

let directory = '';
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'cairn-runs-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('a run of another process', () => {
  it('keeps its job to itself, and lets it go however it ends', async () => {
    const store = new RunStore(join(directory, 'runs'));
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const child = spawn(process.execPath, [HOLDER, store.directory, 'nightly'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const id = line.toString().trim();
      expect(await store.get(id)).toMatchObject({ status: 'running', pid: child.pid });
      await expect(store.create('nightly', 'job', 'manual')).rejects.toMatchObject({
        code: 'JOB_BUSY',
        details: { run: id },
      });
      await (await store.create('weekly', 'job', 'manual')).end({ status: 'success', exit: 0, figures: {} });

      const ended = once(child, 'exit');
      child.kill(signal);
      await ended;
      expect(await store.get(id)).toMatchObject({ status: 'lost' });
      const next = await store.create('nightly', 'job', 'manual');
      await next.end({ status: 'success', exit: 0, figures: {} });
    }
  });
});
