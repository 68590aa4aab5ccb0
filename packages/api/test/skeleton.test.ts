import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { NOBODY, PASSWORD, ScratchPanel, type Visitor } from './support/scratch-panel.ts';

let panel: ScratchPanel;
let admin: Visitor;

beforeAll(async () => {
  panel = await ScratchPanel.make();
  admin = await panel.setUp();
});

afterAll(() => panel.remove());

describe('a panel that was just started', () => {
  it('tells that it works', async () => {
    const { status, json, headers } = await panel.ask(NOBODY, 'GET', '/api/v1/health');
    expect({ status, json }).toEqual({ status: 200, json: { status: 'ok' } });
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  it('answers 423 until the recovery key is saved, and then does its work', async () => {
    const closed = await panel.ask(admin, 'GET', '/api/v1/repositories');
    expect(closed).toMatchObject({ status: 423, json: { code: 'key-export-required', status: 423 } });
    expect(closed.headers.get('content-type')).toBe('application/problem+json');
    await panel.openGate(admin);
    expect(await panel.good(admin, 'GET', '/api/v1/repositories')).toMatchObject([{ name: 'main' }]);
  });

  it('knows nobody without a credential', async () => {
    const { status, json, headers } = await panel.ask(NOBODY, 'GET', '/api/v1/repositories');
    expect({ status, code: json['code'] }).toEqual({ status: 401, code: 'login-required' });
    expect(headers.get('www-authenticate')).toContain('Bearer');
  });

  it('lets a setup link make one account only', async () => {
    const setup = panel.panel.setup?.secret;
    const again = await panel.ask(NOBODY, 'POST', '/api/v1/setup', {
      body: { setup, name: 'second', password: PASSWORD },
    });
    expect(again).toMatchObject({ status: 401, json: { code: 'login-required' } });
    expect(await panel.good(NOBODY, 'GET', '/api/v1/setup')).toEqual({ needed: false });
  });
});
