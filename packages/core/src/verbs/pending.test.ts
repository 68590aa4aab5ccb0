import { beforeEach, describe, expect, it } from 'vitest';

import type { ArchiveRecord } from '../log/state.ts';
import type { Environment } from '../ports/environment.ts';
import { systemEnvironment } from '../host/environment.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ArchiveBuilder, fileNode } from '../testing/archive-builder.ts';
import { protectArchives } from './annotate.ts';
import { applyDelete, planDelete } from './delete.ts';
import { pendingDeletions } from './pending.ts';
import { pinArchives } from './pin.ts';

const DAY = 86_400_000;

let access: RepositoryAccess;
let archives: ArchiveRecord[];

/** The same repository as somebody sees it later. */
function later(ms: number): RepositoryAccess {
  const { random, clock } = systemEnvironment;
  const nowNs = (): bigint => clock.nowNs() + BigInt(ms) * 1_000_000n;
  const environment: Environment = { random, clock: { nowNs, monotonicMs: () => clock.monotonicMs() } };
  return Object.create(access, { environment: { value: environment } }) as RepositoryAccess;
}

const heldBy = (at: RepositoryAccess): (string | undefined)[] =>
  pendingDeletions(at, 2 * DAY).archives.map((one) => one.heldBy);

beforeEach(async () => {
  const builder = await ArchiveBuilder.create();
  archives = [];
  for (const name of ['a', 'b', 'c']) archives.push(await builder.commit([fileNode(name, name)]));
  access = await builder.access();
});

describe('pending deletions', () => {
  it('are none while nothing was deleted', () => {
    expect(pendingDeletions(access)).toMatchObject({ archives: [], objects: [], graceMs: 7 * DAY });
  });

  it('say when the grace of each archive is over, and what else holds it', async () => {
    await applyDelete(access, planDelete(access, archives));
    const { archives: pending, seq } = pendingDeletions(access, 2 * DAY);
    expect(seq).toBe(access.log.seq);
    for (const { archive, droppableMs } of pending) expect(droppableMs).toBe((archive.deletedMs ?? 0) + 2 * DAY);
    expect(heldBy(access)).toEqual(['grace', 'grace', 'grace']);
    const [first, second] = archives as [ArchiveRecord, ArchiveRecord];
    await protectArchives(access, [first], true);
    await pinArchives(access, [second], { holder: 'a mount', ttlMs: 4 * DAY });
    // The protected one comes last: nobody knows when it goes.
    expect(heldBy(later(3 * DAY))).toEqual(['pin', undefined, 'protection']);
  });

  it('have what one CONDEMN named together', async () => {
    const packs = ['1'.repeat(64), '2'.repeat(64)];
    await access.log.append(() => ({ kind: 'CONDEMN', dropped: [], packs, segments: [], reason: '' }));
    const [objects] = pendingDeletions(access, 2 * DAY).objects;
    expect(objects).toMatchObject({ packs: 2, segments: 0 });
    expect((objects?.removableMs ?? 0) - (objects?.sinceMs ?? 0)).toBe(2 * DAY);
  });
});
