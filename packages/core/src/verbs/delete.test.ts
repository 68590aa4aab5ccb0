import { beforeEach, describe, expect, it } from 'vitest';

import { restrict } from '../crypto/capabilities.ts';
import { isCairnError } from '../errors.ts';
import { GRACE_DEFAULT_MS } from '../limits.ts';
import type { LoggedEntry } from '../log/log.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ArchiveBuilder, fileNode } from '../testing/archive-builder.ts';
import { protectArchives } from './annotate.ts';
import { listArchives, resolveArchive } from './archives.ts';
import { applyDelete, applyUndelete, droppableFromMs, planDelete, planUndelete } from './delete.ts';

let builder: ArchiveBuilder;
let access: RepositoryAccess;
let archives: ArchiveRecord[];

beforeEach(async () => {
  builder = await ArchiveBuilder.create();
  archives = [];
  for (const name of ['a', 'b', 'c']) archives.push(await builder.commit([fileNode(name, name)]));
  access = await builder.access();
});

const coded = (code: string): unknown => expect.toSatisfy((error) => isCairnError(error) && error.code === code);
const idsOf = (records: readonly ArchiveRecord[]): string[] => records.map(({ id }) => id);
const [first, second, third] = [0, 1, 2].map((i) => (): ArchiveRecord => archives[i] as ArchiveRecord) as [
  () => ArchiveRecord,
  () => ArchiveRecord,
  () => ArchiveRecord,
];

async function lastEntry(): Promise<LoggedEntry['entry'] | undefined> {
  let last: LoggedEntry['entry'] | undefined;
  for await (const { entry } of access.log.entries()) last = entry;
  return last;
}

async function drop(...dropped: readonly ArchiveRecord[]): Promise<void> {
  const other = await builder.access();
  await other.log.append(() => ({ kind: 'CONDEMN', dropped: idsOf(dropped), packs: [], segments: [], reason: '' }));
}

describe('delete', () => {
  it('hides archives by one entry of the log, and removes nothing', async () => {
    const objects = async (): Promise<string[]> => {
      const names: string[] = [];
      for (const kind of ['packs', 'index'] as const)
        for await (const { name } of access.store.list(kind)) names.push(name);
      return names.sort();
    };
    const [before, seq] = [await objects(), access.log.seq];
    // In no order, and one twice.
    const plan = planDelete(access, [third(), first(), third()]);
    expect(idsOf(plan.archives)).toEqual(idsOf([first(), third()]));
    expect(access.log.seq).toBe(seq);
    const report = await applyDelete(access, plan, { reason: 'ada@web1' });
    expect(idsOf(report.archives)).toEqual(idsOf([first(), third()]));
    expect(report.archives.every(({ state }) => state === 'deleted')).toBe(true);
    expect(report.unchanged).toEqual([]);
    expect(access.log.seq).toBe(seq + 1);
    expect(await lastEntry()).toEqual({ kind: 'DELETE', archives: idsOf([first(), third()]), reason: 'ada@web1' });
    expect(idsOf(listArchives(access.log.state))).toEqual([second().id]);
    expect(await objects()).toEqual(before);
  });

  it('tells from when compact may drop them', async () => {
    const { archives: deleted } = await applyDelete(access, planDelete(access, [first()]));
    const record = deleted[0] as ArchiveRecord;
    expect(droppableFromMs(record, GRACE_DEFAULT_MS)).toBe((record.deletedMs ?? 0) + 7 * 86_400_000);
    expect(droppableFromMs(second(), GRACE_DEFAULT_MS)).toBeUndefined();
    // A protected archive is not dropped, whenever it was deleted.
    await protectArchives(access, [record], true);
    expect(droppableFromMs(access.log.state.archives.get(record.id) as ArchiveRecord, 0)).toBeUndefined();
  });

  it('refuses protected archives, when it is planned and when it is done', async () => {
    const early = planDelete(access, [first(), second()]);
    await protectArchives(await builder.access(), [second()], true);
    const seq = access.log.seq;
    await expect(applyDelete(access, early)).rejects.toThrow(coded('ARCHIVE_PROTECTED'));
    // The protection was read on the way; nothing else is in the log.
    expect(access.log.seq).toBe(seq + 1);
    expect(() => planDelete(access, [first(), second()])).toThrow(coded('ARCHIVE_PROTECTED'));
    expect(() => planDelete(access, [first(), second()])).toThrow(/is protected: nothing is deleted/);
    expect(listArchives(access.log.state)).toHaveLength(3);
    await protectArchives(access, [second()], false);
    await applyDelete(access, planDelete(access, [second()]));
    expect(idsOf(listArchives(access.log.state))).toEqual(idsOf([first(), third()]));
  });

  it('is not for keys that only back up', async () => {
    const writer = await builder.access(builder.store, restrict(builder.keys, 'write'));
    expect(() => planDelete(writer, [first()])).toThrow(coded('RIGHT_MISSING'));
    expect(() => planUndelete(writer, [first()])).toThrow(coded('RIGHT_MISSING'));
    const maintainer = await builder.access(builder.store, restrict(builder.keys, 'maintain'));
    await applyDelete(maintainer, planDelete(maintainer, [first()]));
    await applyUndelete(maintainer, planUndelete(maintainer, [first()]));
  });

  it('of no archive is a mistake', () => {
    expect(() => planDelete(access, [])).toThrow(coded('USAGE'));
    expect(() => planUndelete(access, [])).toThrow(coded('USAGE'));
  });

  it('by two clients at once is done once', async () => {
    const other = await builder.access();
    const plans = [planDelete(access, [first(), second()]), planDelete(other, [second(), third()])] as const;
    const [one, two] = await Promise.all([applyDelete(access, plans[0]), applyDelete(other, plans[1])]);
    expect([...idsOf(one.archives), ...idsOf(two.archives)].sort()).toEqual(idsOf(archives).sort());
    expect([...idsOf(one.unchanged), ...idsOf(two.unchanged)]).toEqual([second().id]);
    const seq = (await builder.access()).log.seq;
    // What is so already is not said again.
    const again = await applyDelete(other, { kind: 'DELETE', archives });
    expect([again.archives, again.unchanged.length, other.log.seq]).toEqual([[], 3, seq]);
    expect(listArchives(other.log.state)).toEqual([]);
  });

  it('of an archive that was dropped meanwhile leaves it as it is', async () => {
    const plan = planDelete(access, [first(), second()]);
    const other = await builder.access();
    await applyDelete(other, planDelete(other, [first()]));
    await drop(first());
    const report = await applyDelete(access, plan);
    expect(report.archives.map(({ id, state }) => [id, state])).toEqual([[second().id, 'deleted']]);
    expect(report.unchanged.map(({ id, state }) => [id, state])).toEqual([[first().id, 'dropped']]);
  });
});

describe('undelete', () => {
  beforeEach(async () => {
    await applyDelete(access, planDelete(access, [first(), second()]));
  });

  it('brings archives back as they were', async () => {
    const plan = planUndelete(access, [second(), first()]);
    const report = await applyUndelete(access, plan, { reason: 'a mistake' });
    expect(report.archives.map(({ id, state, deletedMs }) => [id, state, deletedMs])).toEqual([
      [first().id, 'live', undefined],
      [second().id, 'live', undefined],
    ]);
    expect(await lastEntry()).toMatchObject({ kind: 'UNDELETE', reason: 'a mistake' });
    expect(listArchives(access.log.state)).toHaveLength(3);
    expect(await applyUndelete(access, plan)).toMatchObject({ archives: [], unchanged: [{}, {}] });
  });

  it('brings none back when one of them is gone', async () => {
    const plan = planUndelete(access, [first(), second()]);
    await drop(first());
    await expect(applyUndelete(access, plan)).rejects.toThrow(coded('ARCHIVE_MISSING'));
    await expect(applyUndelete(access, plan)).rejects.toThrow(/cannot be brought back: its space was given back/);
    expect(access.log.state.archives.get(second().id)?.state).toBe('deleted');
    await applyUndelete(access, planUndelete(access, [second()]));
    expect(access.log.state.archives.get(second().id)?.state).toBe('live');
  });

  it('starts the grace anew when they are deleted again', async () => {
    const before = access.log.state.archives.get(first().id)?.deletedMs ?? 0;
    await applyUndelete(access, planUndelete(access, [first()]));
    await applyDelete(access, planDelete(access, [first()]));
    expect(access.log.state.archives.get(first().id)?.deletedMs).toBeGreaterThanOrEqual(before);
    const again = await builder.access();
    const received = await receivedTimes(again);
    expect(again.log.state.archives.get(first().id)?.deletedMs).toBe(received.at(-1));
  });

  it('finds the archives that it is about, and says where the others are', () => {
    const { state } = access.log;
    expect(resolveArchive(state, first().id.slice(0, 8), { deleted: 'only' }).id).toBe(first().id);
    expect(() => resolveArchive(state, third().id, { deleted: 'only' })).toThrow(coded('ARCHIVE_MISSING'));
    expect(hintOf(() => resolveArchive(state, third().id, { deleted: 'only' }))).toMatch(/ is not deleted\.$/);
    expect(hintOf(() => resolveArchive(state, first().id))).toMatch(/`cairn undelete .*` brings it back/);
    access.log.state.apply(access.log.seq + 1, 0, {
      kind: 'CONDEMN',
      dropped: [first().id],
      packs: [],
      segments: [],
      reason: '',
    });
    for (const deleted of [false, true, 'only'] as const) {
      expect(hintOf(() => resolveArchive(state, first().id, { deleted }))).toMatch(/its space was given back/);
    }
  });
});

async function receivedTimes({ log }: RepositoryAccess): Promise<number[]> {
  const times: number[] = [];
  for await (const { receivedMs } of log.entries()) times.push(receivedMs);
  return times;
}

function hintOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isCairnError(error)) return error.hint ?? '';
    throw error;
  }
  return 'it did not fail';
}
