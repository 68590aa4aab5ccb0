import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { PASSWORD, ScratchPanel, type Answer, type Visitor } from './support/scratch-panel.ts';

let panel: ScratchPanel;
let admin: Visitor;

beforeEach(async () => {
  panel = await ScratchPanel.make();
  admin = await panel.setUp();
});

afterEach(() => panel.remove());

const KEY = '/api/v1/repositories/main/recovery-key';

async function exported(): Promise<Record<string, unknown>> {
  const { run } = await panel.good<{ run: string }>(admin, 'POST', `${KEY}/export`);
  for (;;) {
    const progress = await panel.good(admin, 'GET', `${KEY}/export`);
    expect(progress['run']).toBe(run);
    if (progress['status'] !== 'running') return progress;
  }
}

function reveal(password = PASSWORD): Promise<Answer> {
  return panel.ask(admin, 'POST', `${KEY}/reveal`, { body: { password } });
}

/** The answers to the groups that are asked for, as somebody reads them from the sheet that was saved. */
async function answers(recoveryKey: string): Promise<{ groups: { group: number; text: string }[] }> {
  const { groups } = await panel.good<{ groups: number[] }>(admin, 'POST', `${KEY}/ask`);
  const all = recoveryKey.split('-');
  return { groups: groups.map((group) => ({ group, text: all[group - 1] ?? '' })) };
}

function isOpen(): Promise<boolean> {
  return panel.ask(admin, 'GET', '/api/v1/repositories').then(({ status }) => status === 200);
}

describe('the way through the gate', () => {
  it('is export, reveal, saved, and only then all else', async () => {
    expect(await panel.good(admin, 'GET', '/api/v1/key-gate')).toMatchObject({
      open: false,
      repositories: [{ repository: 'main', state: 'export', can_export: true }],
    });
    expect(await reveal()).toMatchObject({ status: 409, json: { code: 'conflict' } });
    expect(await exported()).toMatchObject({
      status: 'success',
      steps: [
        { step: 'key', status: 0 },
        { step: 'repository', status: 0 },
        { step: 'text', status: 0 },
      ],
    });
    expect(await isOpen()).toBe(false);

    const shown = await reveal();
    expect(shown.headers.get('cache-control')).toBe('no-store');
    expect(shown.json).toMatchObject({ recovery_key: panel.recoveryKey(), file_name: 'cairn-recovery-key-main.txt' });
    expect(String(shown.json['text'])).toContain('-----BEGIN CAIRN RECOVERY KEY-----');
    expect(await isOpen()).toBe(false);

    const wrong = await answers('AAAAA-'.repeat(17));
    expect(await panel.ask(admin, 'POST', `${KEY}/saved`, { body: wrong })).toMatchObject({
      status: 403,
      json: { code: 'wrong-key' },
    });
    expect(await isOpen()).toBe(false);
    const right = await answers(panel.recoveryKey());
    expect(right.groups).toHaveLength(2);
    // As people type: small letters, spaces.
    const body = { groups: right.groups.map(({ group, text }) => ({ group, text: ` ${text.toLowerCase()} ` })) };
    // A button that is pressed twice, too.
    const proofs = await Promise.all([1, 2, 3].map(() => panel.ask(admin, 'POST', `${KEY}/saved`, { body })));
    for (const proof of proofs)
      expect(proof).toMatchObject({ status: 200, json: { state: 'saved', saved_by: 'admin' } });
    expect(await isOpen()).toBe(true);
    // And again at any time.
    expect(await exported()).toMatchObject({ status: 'success' });
    expect((await reveal()).status).toBe(200);
  });

  it('takes only the groups that were asked for, in their time', async () => {
    await exported();
    const all = panel.recoveryKey().split('-');
    const { groups } = await answers(panel.recoveryKey());
    const others = [1, 2, 3, 4].filter((group) => !groups.some((each) => each.group === group)).slice(0, 2);
    for (const given of [
      others.map((group) => ({ group, text: all[group - 1] ?? '' })),
      groups.slice(0, 1),
      [groups[0], groups[0]],
    ]) {
      const answer = await panel.ask(admin, 'POST', `${KEY}/saved`, { body: { groups: given } });
      expect(answer).toMatchObject({ status: 409, json: { code: 'conflict' } });
    }
    panel.wait(16 * 60_000);
    expect((await panel.ask(admin, 'POST', `${KEY}/saved`, { body: { groups } })).status).toBe(409);
    expect(await isOpen()).toBe(false);
  });

  it('asks for the password each time, and lets nobody guess it', async () => {
    await exported();
    for (let i = 0; i < 5; i++) {
      expect(await reveal(`wrong ${i}`)).toMatchObject({ status: 403, json: { details: { reason: 'password' } } });
    }
    expect(await reveal()).toMatchObject({ status: 429, json: { code: 'too-many-requests' } });
  });

  it('is closed again by a new root key, and by a key that cannot be read', async () => {
    await panel.openGate(admin);
    expect(await isOpen()).toBe(true);
    await panel.makeRepository('main');
    expect(await isOpen()).toBe(false);
    expect(await panel.good(admin, 'GET', KEY)).toMatchObject({ state: 'export' });
    await panel.openGate(admin);
    expect(await isOpen()).toBe(true);
    rmSync(join(panel.directory, 'main.key'));
    expect(await isOpen()).toBe(false);
    expect((await panel.good(admin, 'GET', KEY))['problem']).toContain('cannot read the key file');
  });

  it('is remembered over a restart', async () => {
    await exported();
    await panel.stop();
    await panel.start();
    expect(await panel.good(admin, 'GET', KEY)).toMatchObject({ state: 'save' });
    await panel.openGate(admin);
    await panel.stop();
    await panel.start();
    expect(await isOpen()).toBe(true);
  });

  it('takes one export at a time', async () => {
    const both = await Promise.all([1, 2, 3].map(() => panel.ask(admin, 'POST', `${KEY}/export`)));
    const statuses = both.map(({ status }) => status);
    expect(statuses).toContain(202);
    for (const status of statuses) expect([202, 409]).toContain(status);
    await expect.poll(async () => (await panel.ask(admin, 'POST', `${KEY}/export`)).status).toBe(202);
  });

  it('fails to export what does not open the repository, and stays closed', async () => {
    rmSync(join(panel.directory, 'main'), { recursive: true });
    expect(await exported()).toMatchObject({
      status: 'failed',
      steps: [{ status: 0 }, { step: 'repository', status: 1 }],
    });
    expect((await reveal()).status).toBe(409);
  });
});

describe('the recovery key', () => {
  it('is in no file of the panel, and in no answer but the one that shows it', async () => {
    await exported();
    await reveal();
    const groups = panel.recoveryKey().split('-').slice(1, 16);
    const body = await answers(panel.recoveryKey());
    await panel.good(admin, 'POST', `${KEY}/saved`, { body });
    const trail = await panel.ask(admin, 'GET', '/api/v1/audit?limit=100');
    expect(trail.status).toBe(200);
    await panel.stop();
    expect(panel.logged.join('')).toContain('the panel listens');
    const texts = [
      trail.text,
      ...panel.logged,
      ...filesBelow(join(panel.directory, 'state')).map((file) => readFileSync(file, 'latin1')),
    ];
    expect(texts.length).toBeGreaterThan(2);
    for (const text of texts) for (const group of groups) expect(text.includes(group)).toBe(false);
  });

  it('can be had encrypted for OpenPGP keys, which plain gpg opens', async () => {
    const home = mkdtempSync(join(tmpdir(), 'gpg-'));
    const gpg = (args: readonly string[]): string =>
      execFileSync(
        'gpg',
        ['--homedir', home, '--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
    try {
      gpg(['--quick-generate-key', 'ada@example.org', 'rsa2048', 'encr,sign', '1y']);
      const publicKey = gpg(['--armor', '--export', 'ada@example.org']);
      await exported();
      const body = { password: PASSWORD, public_keys: [publicKey] };
      const { message } = await panel.good<{ message: string }>(admin, 'POST', `${KEY}/openpgp`, { body });
      const file = join(home, 'message.asc');
      writeFileSync(file, message);
      const fingerprint = (await panel.good(admin, 'GET', KEY))['fingerprint'];
      expect(gpg(['--decrypt', file])).toContain(`fingerprint: ${String(fingerprint)}`);
      const refused = await panel.ask(admin, 'POST', `${KEY}/openpgp`, { body: { ...body, password: 'wrong' } });
      expect(refused.status).toBe(403);
      const noKey = await panel.ask(admin, 'POST', `${KEY}/openpgp`, { body: { ...body, public_keys: ['no key'] } });
      expect(noKey).toMatchObject({ status: 400, json: { code: 'usage' } });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}
