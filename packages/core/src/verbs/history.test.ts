import { beforeEach, describe, expect, it } from 'vitest';

import { rewritten } from '../log/descriptor.ts';
import type { LogEntry } from '../log/kinds.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { MemoryStore } from '../stores/memory.ts';
import { ArchiveBuilder, fileNode } from '../testing/archive-builder.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { SAMPLE_DESCRIPTOR } from '../testing/log-samples.ts';
import { history, type HistoryEntry, type HistoryOptions } from './history.ts';

const START_MS = Date.UTC(2026, 10, 21, 8);
const PIN_ID = 'ee'.repeat(16);
const COPY_ID = 'cc'.repeat(16);

/** The store's clock: a minute later with each entry that is appended. */
let storeMs: number;
let builder: ArchiveBuilder;
let access: RepositoryAccess;
let first: ArchiveRecord;
let second: ArchiveRecord;

async function append(...entries: readonly LogEntry[]): Promise<void> {
  for (const entry of entries) {
    storeMs += 60_000;
    await access.log.append(() => entry);
  }
}

beforeEach(async () => {
  storeMs = START_MS;
  const clock = { nowNs: () => BigInt(storeMs) * 1_000_000n, monotonicMs: () => storeMs };
  builder = await ArchiveBuilder.create({ store: new MemoryStore(clock) });
  storeMs += 60_000;
  first = await builder.commit([fileNode('a', 'a')]);
  storeMs += 60_000;
  second = await builder.commit([fileNode('b', 'b')]);
  access = await builder.access();
  const none = { base: null, segments: [], rescuedPacks: [], rescuedSegments: [] };
  const descriptor = { ...SAMPLE_DESCRIPTOR, ...rewritten('cairn', second.id), id: Buffer.from(COPY_ID, 'hex') };
  await append(
    { kind: 'DELETE', archives: [first.id], reason: 'ada@web1' },
    { kind: 'PIN', pin: PIN_ID, archives: [first.id], until: 5n, holder: 'mount' },
    { kind: 'INDEX', segments: [] },
    { kind: 'UNPIN', pin: PIN_ID },
    { kind: 'COMMIT', archive: COPY_ID, ...none, descriptor },
    { kind: 'CONDEMN', dropped: [first.id], packs: ['11'.repeat(32)], segments: [], reason: 'compact' },
    { kind: 'SWEEP', packs: ['11'.repeat(32)], segments: [] },
  );
});

async function all(options: HistoryOptions = {}): Promise<HistoryEntry[]> {
  const entries: HistoryEntry[] = [];
  for await (const entry of history(access, options)) entries.push(entry);
  return entries;
}

const kindsOf = (entries: readonly HistoryEntry[]): string[] => entries.map(({ entry }) => entry.kind);

describe('history', () => {
  it('has every entry, the newest last, with when the store received it', async () => {
    const entries = await all();
    expect(kindsOf(entries)).toEqual([
      'COMMIT',
      'COMMIT',
      'DELETE',
      'PIN',
      'INDEX',
      'UNPIN',
      'COMMIT',
      'CONDEMN',
      'SWEEP',
    ]);
    entries.forEach(({ seq, receivedMs }, i) => {
      expect([seq, receivedMs]).toEqual([i + 1, START_MS + (i + 1) * 60_000]);
    });
  });

  it('tells what an entry is about', async () => {
    const entries = await all();
    expect(entries.map(({ archives }) => archives)).toEqual([
      [first.id],
      [second.id],
      [first.id],
      [first.id],
      [],
      [first.id],
      [COPY_ID],
      [first.id],
      [],
    ]);
    const held = entries.filter(({ holder }) => holder !== undefined);
    expect(held.map(({ entry, holder }) => [entry.kind, holder])).toEqual([
      ['PIN', 'mount'],
      ['UNPIN', 'mount'],
    ]);
    expect(entries.map(({ origin }) => origin).filter((origin) => origin !== undefined)).toEqual([second.id]);
    expect(entries[6]?.origin).toBe(second.id);
  });

  it('is filtered by kind, archive and time, and cut to the newest after that', async () => {
    expect(kindsOf(await all({ kinds: ['DELETE', 'SWEEP'] }))).toEqual(['DELETE', 'SWEEP']);
    expect(kindsOf(await all({ kinds: [] }))).toEqual([]);
    // An archive that is gone still has its history.
    expect(kindsOf(await all({ archive: first.id }))).toEqual(['COMMIT', 'DELETE', 'PIN', 'UNPIN', 'CONDEMN']);
    expect(kindsOf(await all({ archive: second.id }))).toEqual(['COMMIT']);
    expect(kindsOf(await all({ sinceMs: START_MS + 8 * 60_000 }))).toEqual(['CONDEMN', 'SWEEP']);
    expect(kindsOf(await all({ sinceMs: START_MS + 8 * 60_000 + 1 }))).toEqual(['SWEEP']);
    expect(kindsOf(await all({ last: 2 }))).toEqual(['CONDEMN', 'SWEEP']);
    expect(kindsOf(await all({ last: 100 }))).toHaveLength(9);
    expect(kindsOf(await all({ last: 1, kinds: ['COMMIT'], archive: first.id }))).toEqual(['COMMIT']);
    // The pin is known although its PIN is not asked for.
    expect((await all({ kinds: ['UNPIN'] })).map(({ holder }) => holder)).toEqual(['mount']);
  });

  it('is not shortened by a store that cannot be read', async () => {
    for (const operation of ['get', 'list'] as const) {
      const opening = new FaultyStore(builder.store);
      await builder.access(opening);
      const at = opening.counts[operation] + 1;
      access = await builder.access(new FaultyStore(builder.store, [{ operation, at, when: 'before' }]));
      await expect(all({ last: 1 })).rejects.toThrow('injected fault');
    }
  });
});
