import { RunStore } from '@cairn/jobs';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startPanelProcess, type PanelProcess } from './support/panel-process.ts';
import { ScratchPanel, type Caller } from './support/scratch-panel.ts';
import { backUp, content, openBeside } from './support/stock.ts';

const LARGE = content(40_000_000);

let scratch: ScratchPanel;
let caller: Caller;
let file: string;
let source: string;
let panel: PanelProcess;

beforeAll(async () => {
  scratch = await ScratchPanel.make();
  source = join(scratch.directory, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'large.bin'), LARGE);
  for (let i = 0; i < 4; i++) await backUp(scratch, [source]);
  const admin = await scratch.setUp();
  await scratch.openGate(admin);
  // Tokens outlive the process.
  caller = await scratch.token(admin, [
    'archives:read',
    'archives:restore',
    'retention:read',
    'retention:apply',
    'runs:read',
  ]);
  await scratch.stop();
  file = join(scratch.directory, 'panel.toml');
  writeFileSync(file, scratch.file);
  panel = await startPanelProcess(file);
});

afterAll(async () => {
  await panel.kill();
  await scratch.remove();
});

async function get(path: string, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${panel.address}/api/v1/${path}`, { headers: { ...caller.headers, ...headers } });
}

async function post(path: string, body: unknown): Promise<Response> {
  const headers = { ...caller.headers, 'content-type': 'application/json' };
  return await fetch(`${panel.address}/api/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** Reads a body until it ends or breaks off; kills the panel after the first piece. */
async function readAndKill(response: Response): Promise<{ readonly bytes: Buffer; readonly brokeOff: boolean }> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of response.body ?? []) {
      parts.push(part);
      if (parts.length === 1) await panel.kill();
    }
    return { bytes: Buffer.concat(parts), brokeOff: false };
  } catch {
    return { bytes: Buffer.concat(parts), brokeOff: true };
  } finally {
    panel = await startPanelProcess(file);
  }
}

const at = (name: string): string => encodeURIComponent(join(source, name));

describe('a panel that is killed', () => {
  it('in the middle of a download leaves one that is seen to be cut off, and goes on where it was', async () => {
    const asked = `repositories/main/archives/web@latest/file?path=${at('large.bin')}`;
    const first = await get(asked);
    const tag = first.headers.get('etag') ?? '';
    const { bytes, brokeOff } = await readAndKill(first);
    expect([brokeOff, bytes.length < LARGE.length, bytes.equals(LARGE.subarray(0, bytes.length))]).toEqual([
      true,
      true,
      true,
    ]);
    const rest = await get(asked, { range: `bytes=${bytes.length}-`, 'if-range': tag });
    expect(rest.status).toBe(206);
    expect(Buffer.concat([bytes, Buffer.from(await rest.arrayBuffer())]).equals(LARGE)).toBe(true);
  });

  it('in the middle of a tar stream leaves one that is seen to be cut off', async () => {
    const { brokeOff } = await readAndKill(await get('repositories/main/archives/web@latest/tar'));
    expect(brokeOff).toBe(true);
    const whole = await get('repositories/main/archives/web@latest/tar');
    expect((await whole.arrayBuffer()).byteLength).toBeGreaterThan(LARGE.length);
  });

  it('in the middle of a prune has done all of it or nothing, and says that the plan is none any more', async () => {
    const rules = { last: 1 };
    const planned = await post('repositories/main/prune/plan', { rules, max_share: 100 });
    const { plan } = (await planned.json()) as { plan: string };
    const applying = post('repositories/main/prune', { plan }).then(
      () => undefined,
      () => undefined,
    );
    await panel.kill();
    await applying;
    panel = await startPanelProcess(file);
    const beside = await openBeside(scratch);
    expect([1, 4]).toContain(beside.archives().length);
    const { errors } = await beside.check();
    expect(errors).toBe(0);
    await beside.close();
    expect((await post('repositories/main/prune', { plan })).status).toBe(412);
  });

  it('while a run is followed loses none of its events', async () => {
    const runs = new RunStore(join(scratch.config['state-directory'], 'runs'));
    const run = await runs.create('nightly', 'job', 'manual');
    for (let i = 0; i < 5; i++) run.append({ type: 'log', level: 'info', text: `line ${i}` });
    const first = (await readAndKill(await get(`runs/${run.id}/events`))).bytes.toString();
    for (let i = 5; i < 10; i++) run.append({ type: 'log', level: 'info', text: `line ${i}` });
    await run.end({ status: 'success', exit: 0, figures: {} });
    // What a browser has seen whole.
    const seen = first.slice(0, first.lastIndexOf('\n\n') + 2);
    const last = [...seen.matchAll(/^id: (\d+)$/gm)].at(-1)?.[1] ?? '';
    const second = await (await get(`runs/${run.id}/events`, { 'last-event-id': last })).text();
    const texts = [...(seen + second).matchAll(/"text":"(line \d+)"/g)].map(([, text]) => text);
    expect(texts).toEqual(Array.from({ length: 10 }, (_, i) => `line ${i}`));
  });
});
