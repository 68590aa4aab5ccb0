import { DirectoryStore, LIMITS, systemEnvironment } from '@cairn/core/server';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { plainClient } from '../clients/client.ts';
import { silentLogger } from '../operate/logger.ts';
import { Allowance } from './allowance.ts';
import { HostedRepository } from './hosted-repository.ts';

const DAY_MS = 86_400_000;
const directory = mkdtempSync(join(tmpdir(), 'cairn-allowance-'));
let offsetMs = 0;
let repository: HostedRepository;

beforeAll(async () => {
  const path = join(directory, 'main');
  await DirectoryStore.create(path);
  const floors = { graceMs: 0, keptArchives: 0, shareADay: 1 };
  const settings = { name: 'main', path, floors, quotaBytes: undefined, reserveBytes: 0, stateDirectory: directory };
  const { clock } = systemEnvironment;
  const later = { nowNs: () => clock.nowNs() + BigInt(offsetMs) * 1_000_000n, monotonicMs: () => clock.monotonicMs() };
  repository = await HostedRepository.open(settings, later, silentLogger);
});
afterAll(() => rmSync(directory, { recursive: true }));

const allowanceOf = (role: 'append' | 'read' | 'maintain', more: object = {}): Allowance =>
  new Allowance(repository, { ...plainClient(role, 'main', role), ...more });

it.each(['append', 'read'] as const)(
  'bounds the bytes of log entries that a client of role %s writes in a day',
  async (role) => {
    const t = repository.log.nowMs();
    const line = {
      t,
      client: role,
      log: 1,
      kind: 'COMMIT',
      bytes: LIMITS.serverEntryBytesPerDay - 1000,
      hash: '',
    } as const;
    await repository.ledger.record(line);
    await allowanceOf(role).assertEntry(1000);
    const tooMuch = allowanceOf(role).assertEntry(1001);
    await expect(tooMuch).rejects.toMatchObject({
      code: 'STORE_FULL',
      message: expect.stringContaining('in 24 hours'),
    });
    offsetMs += DAY_MS;
    await allowanceOf(role).assertEntry(1001);
  },
);

it('bounds them for nobody who can give space back', async () => {
  const t = repository.log.nowMs();
  const bytes = LIMITS.serverEntryBytesPerDay;
  await repository.ledger.record({ t, client: 'maintain', log: 1, kind: 'CONDEMN', bytes, hash: '' });
  await allowanceOf('maintain').assertEntry(LIMITS.logEntryBytes);
});

it('counts uploads that are under way against the quota', async () => {
  const allowance = allowanceOf('append', { name: 'web1', quotaBytes: 100 });
  const done = await allowance.claimRoom(60);
  await expect(allowance.claimRoom(41)).rejects.toMatchObject({ code: 'STORE_FULL' });
  const second = await allowance.claimRoom(40);
  done();
  done();
  await expect(allowance.claimRoom(61)).rejects.toMatchObject({ code: 'STORE_FULL' });
  second();
  (await allowance.claimRoom(100))();
});
