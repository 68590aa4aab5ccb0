import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { commandContent, type CommandContent } from './command-content.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-command-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What a shell script prints, and how that ends. */
async function run(script: string, more: Partial<CommandContent> = {}, stop = new AbortController()): Promise<string> {
  const source = commandContent({ path: '/x', command: ['/bin/sh', '-c', script], ...more });
  const parts: Uint8Array[] = [];
  for await (const part of source.open(stop.signal)) parts.push(part);
  return Buffer.concat(parts).toString();
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie is dead; whoever has to collect it has not yet.
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function untilDead(pid: number): Promise<void> {
  for (let i = 0; i < 500 && isAlive(pid); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(isAlive(pid)).toBe(false);
}

describe('the output of a command', () => {
  it('is what it prints, when it ends with status 0', async () => {
    expect(await run('printf "%s" "$GREETING"; pwd', { env: { GREETING: 'a b' }, workingDirectory: '/' })).toBe(
      'a b/\n',
    );
    const long = await run('head -c 3000000 /dev/zero');
    expect(long).toHaveLength(3_000_000);
  });

  it('is given its arguments without a shell', async () => {
    const source = commandContent({ path: '/x', command: ['printf', '%s|', '$HOME; `id`', '*'] });
    const parts: Uint8Array[] = [];
    for await (const part of source.open(new AbortController().signal)) parts.push(part);
    expect(Buffer.concat(parts).toString()).toBe('$HOME; `id`|*|');
  });

  it('does not count with any other end', async () => {
    await expect(run('echo half; exit 7')).rejects.toThrow('/bin/sh ended with status 7');
    await expect(run('echo half; kill -9 $$')).rejects.toThrow('/bin/sh was ended by SIGKILL');
    await expect(run('', { command: [join(directory, 'absent')] })).rejects.toThrow('could not be run: ENOENT');
    await expect(run('', { command: [directory] })).rejects.toThrow('could not be run: EACCES');
    expect(() => commandContent({ path: '/x', command: [] })).toThrow('no command');
  });

  it('never tells its arguments, which may hold secrets', async () => {
    const failed = run('exit 1 # --password=secret');
    await expect(failed).rejects.toThrow(/^((?!secret).)*$/);
  });

  it('gives standard error to the caller', async () => {
    let heard = '';
    await run('echo warning >&2', { onStderr: (bytes) => (heard += Buffer.from(bytes).toString()) });
    expect(heard).toBe('warning\n');
  });

  it('ends with the time that it has, and so does all that it started', async () => {
    const file = join(directory, 'late');
    await expect(run(`sleep 1000 & echo $! > ${file}; wait`, { timeoutMs: 300 })).rejects.toThrow(
      'took longer than 0.3 s',
    );
    await untilDead(Number(readFileSync(file, 'utf8')));
  });

  it('ends when it is stopped, or when nobody wants the rest', async () => {
    const stop = new AbortController();
    const file = join(directory, 'stopped');
    const running = run(`echo $$ > ${file}; echo ready; sleep 1000`, {}, stop);
    running.catch(() => undefined);
    while (!existsSync(file) || readFileSync(file, 'utf8') === '')
      await new Promise((resolve) => setTimeout(resolve, 10));
    stop.abort();
    await expect(running).rejects.toThrow('was ended by SIGTERM');
    await untilDead(Number(readFileSync(file, 'utf8')));

    const source = commandContent({ path: '/x', command: ['/bin/sh', '-c', 'echo $$; exec yes'] });
    let pid = 0;
    for await (const part of source.open(new AbortController().signal)) {
      pid = Number.parseInt(Buffer.from(part).toString(), 10);
      break;
    }
    await untilDead(pid);
  });
});
