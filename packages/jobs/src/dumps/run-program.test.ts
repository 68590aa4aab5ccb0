import { describe, expect, it } from 'vitest';

import { runProgram, type ProgramCall } from './run-program.ts';

const CALL = { env: { PATH: process.env['PATH'] ?? '' }, signal: new AbortController().signal };

function sh(script: string, more: Partial<ProgramCall> = {}) {
  return runProgram({ command: ['sh', '-c', script], ...CALL, ...more });
}

async function* pieces(count: number, bytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < count; i++) yield Buffer.alloc(bytes, i);
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('first half\n');
  throw new Error('the store is gone');
}

describe('a program', () => {
  it('is told all, and says how it ended', async () => {
    const end = await sh('wc -c; echo careful >&2', { input: pieces(100) });
    expect(end).toMatchObject({ ok: true, how: 'sh ended with status 0', errors: 'careful' });
    expect(end.output.toString().trim()).toBe(String(100 * 65_536));
    expect(await sh('exit 7')).toMatchObject({ ok: false, how: 'sh ended with status 7' });
    expect(await sh('kill -9 $$')).toMatchObject({ ok: false, how: 'sh was ended by SIGKILL' });
  });

  it('did not do well when it left something unread', async () => {
    const end = await sh('head -c 10 >/dev/null; exit 0', { input: pieces(200) });
    expect(end).toMatchObject({ ok: false, how: 'sh ended before it had read all of the dump' });
    expect(await sh('head -c 10 >/dev/null; exit 5', { input: pieces(200) })).toMatchObject({
      how: 'sh ended with status 5',
    });
  });

  it('never takes half a dump for a whole one', async () => {
    const end = await sh('cat; sleep 60; echo whole', { input: failing() });
    expect(end).toMatchObject({ ok: false, how: expect.stringContaining('the store is gone') });
    expect(end.output.toString()).not.toContain('whole');
  });

  it('is ended with all that it started when it takes too long, and when nobody wants it any more', async () => {
    const end = await sh('sleep 60 & sleep 60', { timeoutMs: 200 });
    expect(end).toMatchObject({ ok: false, how: 'sh took longer than 0.2 s and was ended' });
    const stop = new AbortController();
    const run = sh('echo begun; sleep 60', { signal: stop.signal });
    setTimeout(() => stop.abort(), 100);
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(sh('exit 0', { signal: stop.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('that is not there is told so', async () => {
    const run = runProgram({ ...CALL, command: ['/nonexistent/program'] });
    await expect(run).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED', message: expect.stringContaining('ENOENT') });
  });

  it('has the environment that it is given, and no other', async () => {
    const { output } = await runProgram({ ...CALL, command: ['env'], env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } });
    expect(
      output
        .toString()
        .split('\n')
        .filter((line) => line !== '')
        .sort(),
    ).toEqual(['LC_ALL=C', 'PATH=/usr/bin:/bin']);
  });
});
