import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

import { Smtp } from '../../jobs/test/support/smtp.ts';
import { CAIRN, NOBODY, PASSWORD, ScratchPanel } from './support/scratch-panel.ts';

let panel: ScratchPanel | undefined;
let smtp: Smtp | undefined;

afterEach(async () => {
  await panel?.remove();
  await smtp?.stop();
  [panel, smtp] = [undefined, undefined];
});

describe('a repository whose recovery key nobody has saved', () => {
  it('is told of by mail, once for each key', async () => {
    const server = await Smtp.start({ authOptional: true });
    smtp = server;
    const mail = `[mail]\nto = ["admin@example.org"]\nfrom = "cairn@example.org"\nserver = "localhost"\nport = ${server.port}\nsecurity = "starttls"\nca-file = "${server.ca}"\n`;
    panel = await ScratchPanel.make({ toml: `public-url = "https://panel.example.org"\n${mail}` });
    await expect.poll(() => server.received.length, { timeout: 20_000 }).toBe(1);
    const [notice] = server.received;
    expect(notice).toMatchObject({ from: 'cairn@example.org', to: ['admin@example.org'], secure: true });
    expect(notice?.text).toContain('Subject: Save the recovery key of main');
    expect(notice?.text).toContain('https://panel.example.org');
    expect(notice?.text).not.toContain(panel.recoveryKey().slice(0, 5));

    await panel.stop();
    await panel.start();
    await panel.stop();
    expect(server.received).toHaveLength(1);
    await panel.makeRepository('main');
    await panel.start();
    await expect.poll(() => server.received.length, { timeout: 20_000 }).toBe(2);
  });

  it('does not keep the panel from its work when the mail cannot be sent', async () => {
    const mail =
      '[mail]\nto = ["a@example.org"]\nfrom = "b@example.org"\nserver = "127.0.0.1"\nport = 1\nsecurity = "none"\n';
    panel = await ScratchPanel.make({ toml: mail });
    const admin = await panel.setUp();
    expect((await panel.ask(admin, 'GET', '/api/v1/key-gate')).status).toBe(200);
  });
});

describe('cairn panel --setup-link', () => {
  it('lets in who has lost every password, while the panel runs', async () => {
    panel = await ScratchPanel.make();
    await panel.setUp();
    const file = join(panel.directory, 'panel.toml');
    writeFileSync(file, panel.file);
    const { stdout, status } = spawnSync(
      process.execPath,
      [CAIRN, 'panel', '--setup-link', '--panel-file', file, '--json'],
      {
        encoding: 'utf8',
      },
    );
    expect(status).toBe(0);
    const { setup } = JSON.parse(stdout) as { setup: string };
    const body = { setup: setup.split('/').at(-1), name: 'rescuer', password: PASSWORD };
    expect((await panel.ask(NOBODY, 'POST', '/api/v1/setup', { body })).status).toBe(201);
    expect((await panel.ask(NOBODY, 'POST', '/api/v1/setup', { body: { ...body, name: 'second' } })).status).toBe(401);
    expect((await panel.login('rescuer')).cookie).not.toBe('');
  });
});
