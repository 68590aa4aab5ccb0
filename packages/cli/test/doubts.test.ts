import { chmodSync, cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';

const PIECE = fileURLToPath(new URL('../../../testkit/repositories/broken-unreadable-log-entry', import.meta.url));

/** Of three archives, the entry of the second cannot be read (testkit/repositories). */
describe('a repository whose log has an entry that no key opens', () => {
  let place: Workplace;
  let env: Record<string, string>;

  beforeAll(() => {
    place = new Workplace();
    cpSync(PIECE, place.path('piece'), { recursive: true });
    chmodSync(place.path('piece', 'key.txt'), 0o600);
    env = { CAIRN_REPOSITORY: place.path('piece', 'repo'), CAIRN_KEY_FILE: place.path('piece', 'key.txt') };
  });
  afterAll(() => place.remove());

  it('gives all that can be read, says loudly what cannot, and ends with another status', () => {
    const { status, stdout, stderr } = place.cairn(['list', '--json'], { env });
    expect(JSON.parse(stdout)).toHaveLength(2);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^cairn: warning: log entry 2, received .*, commits an archive that nobody can read/);
    expect(stderr).toContain('cairn repair --give-up 2');
    const restored = place.cairn(['restore', 'latest', '--to', place.path('restored')], { env });
    expect(restored.status).toBe(3);
  });

  it('is told of by a check and by the log', () => {
    const { status, stdout } = place.cairn(['check', '--json', '--no-record'], { env });
    expect(status).toBe(20);
    const { findings } = JSON.parse(stdout) as { findings: { code: string }[] };
    expect(findings.map(({ code }) => code)).toContain('entry-unreadable');
    const log = JSON.parse(place.cairn(['log', '--json'], { env }).stdout) as { seq: number; kind: string }[];
    expect(log[1]).toMatchObject({ seq: 2, kind: 'COMMIT', unreadable: expect.stringContaining('log entry 2') });
  });

  it('is as before once the entry is given up by its number', () => {
    expect(place.cairn(['repair', '--dry-run', '--give-up', '1'], { env }).status).toBe(2);
    const planned = place.cairn(['repair', '--dry-run', '--json'], { env });
    expect(planned.status).toBe(3);
    const plan = JSON.parse(planned.stdout) as { unreadable_entries: Record<string, unknown>[] };
    expect(plan.unreadable_entries).toEqual([expect.objectContaining({ seq: 2, given_up: false })]);
    expect(place.cairn(['repair', '--give-up', '2'], { env }).status).toBe(3);
    expect(place.cairn(['list'], { env })).toMatchObject({ status: 0, stderr: '' });
    expect(place.cairn(['compact', '--grace', '0', '--json'], { env }).status).toBe(0);
  });
});
