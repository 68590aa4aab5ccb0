import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

it('threads end without taking the process along, whatever they call', () => {
  // With `Worker.terminate` one in some forty is the end of the process.
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [here('support/end-threads.mjs'), '80'], {
    encoding: 'utf8',
  });
  expect({ status, signal, stdout, stderr }).toEqual({ status: 0, signal: null, stdout: 'all ended\n', stderr: '' });
});

it('no thread is ended in another way', () => {
  const sources = readdirSync(here('../src'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  );
  const terminating = sources.filter((name) => readFileSync(here(`../src/${name}`), 'utf8').includes('.terminate()'));
  expect(terminating).toEqual([]);
});
