import { beforeEach, describe, expect, it } from 'vitest';

import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { isCairnError } from '../errors.ts';
import { logName, toHex } from '../ids.ts';
import type { ClientState, SeenHead } from '../ports/client-state.ts';
import { RepositoryAccess } from '../repository/access.ts';
import { CompactScratch, DAY_MS } from '../testing/compact-scratch.ts';
import { SAMPLE_DESCRIPTOR } from '../testing/log-samples.ts';
import { checkRepository } from '../verbs/check.ts';
import { applyRepair, planRepair } from '../verbs/repair.ts';
import { encodeDecision, LOG_KIND_NUMBER, type Decision, type LogKind } from './decision.ts';
import { doubtsOf } from './doubts.ts';
import { encodeLogFrame } from './entry.ts';
import { encodeLogEntry, type LogEntry } from './kinds.ts';

const ARCHIVE = 'ee'.repeat(16);
const PIN = 'ab'.repeat(16);
const none: readonly string[] = [];
const coded = (code: string): unknown => expect.toSatisfy((error) => isCairnError(error) && error.code === code);

let scratch: CompactScratch;
let kept: string;

beforeEach(async () => {
  scratch = await CompactScratch.create();
  kept = (await scratch.commit({ a: ['kept'] })).id;
});

/** As if a server kept the log. */
function underServer(): void {
  Object.defineProperty(scratch.store, 'keepsLog', { value: true });
}

function headObject(): { seq: number; object: Buffer } {
  const seq = scratch.count('log');
  return { seq, object: Buffer.from(scratch.objects.get(`log/${logName(seq)}`)?.body ?? []) };
}

/** An entry for the next slot that a server without keys cannot tell from a good one. */
function plant(
  decision: Decision,
  sealed: { key?: Uint8Array; part?: Uint8Array } = { key: Buffer.alloc(32, 9) },
): number {
  const { log = Buffer.alloc(32) } = scratch.builder.keys;
  const { seq, object } = headObject();
  const { clock, random } = scratch.environment;
  const body = encodeLogFrame(suite, random, sealed.key ?? log, {
    kind: LOG_KIND_NUMBER[decision.kind],
    seq: seq + 1,
    previous: suite.sha256(object),
    timeNs: clock.nowNs(),
    publicPart: encodeDecision(decision),
    sealedPart: sealed.part ?? Buffer.of(0x90),
  });
  scratch.objects.set(`log/${logName(seq + 1)}`, { body, receivedMs: Number(clock.nowNs() / 1_000_000n) });
  return seq + 1;
}

const COMMIT: Decision = {
  kind: 'COMMIT',
  archive: ARCHIVE,
  base: null,
  segments: none,
  rescuedPacks: none,
  rescuedSegments: none,
};

/** One of each kind that breaks no rule. */
function sampleOf(kind: LogKind): Decision {
  switch (kind) {
    case 'COMMIT':
      return COMMIT;
    case 'DELETE':
    case 'UNDELETE':
      return { kind, archives: [kept] };
    case 'ANNOTATE':
      return { kind, archives: [kept], protect: null };
    case 'PIN':
      return { kind, pin: 'cd'.repeat(16), archives: [kept], until: 0n };
    case 'UNPIN':
      return { kind, pin: PIN };
    case 'CONDEMN':
      return { kind, dropped: none, packs: none, segments: none };
    case 'SWEEP':
    case 'RESCUE':
      return { kind, packs: none, segments: none };
    case 'INDEX':
      return { kind, segments: none };
    case 'CHECK':
      return { kind };
  }
}

async function pinKept(): Promise<void> {
  const { log } = await scratch.open();
  await log.append(() => ({ kind: 'PIN', pin: PIN, archives: [kept], until: 0n, holder: 'test' }));
}

describe('an entry that no key opens', () => {
  it.each(['COMMIT', 'INDEX', 'RESCUE', 'PIN', 'UNPIN'] as const)('is passed over when it is a %s', async (kind) => {
    await pinKept();
    const seq = plant(sampleOf(kind));
    const access = await scratch.open();
    expect(access.log.seq).toBe(seq);
    expect(await scratch.unreadable(access)).toEqual([]);
    expect(access.log.state.pins.size).toBe(kind === 'PIN' ? 2 : kind === 'UNPIN' ? 0 : 1);
  });

  it.each(['DELETE', 'UNDELETE', 'ANNOTATE', 'CONDEMN', 'SWEEP', 'CHECK'] as const)(
    'stops a client when it is a %s',
    async (kind) => {
      plant(sampleOf(kind));
      await expect(scratch.open()).rejects.toThrow(coded('CORRUPT'));
    },
  );

  it('stops a client when it breaks a rule, or does not follow', async () => {
    plant({ ...COMMIT, archive: kept } as Decision);
    await expect(scratch.open()).rejects.toThrow(/used twice/);
  });

  it('is the same as one that holds something else than its kind says, or of another archive', async () => {
    const descriptor = encodeLogEntry({ ...COMMIT, descriptor: SAMPLE_DESCRIPTOR } as LogEntry).sealedPart;
    for (const part of [Buffer.of(0xc0), Buffer.of(0xff, 1, 2), new Uint8Array(0), descriptor]) {
      const seq = plant(COMMIT, { part });
      const { log } = await scratch.open();
      expect(log.state.unreadable()).toMatchObject([{ id: ARCHIVE, seq, state: 'live' }]);
      scratch.objects.delete(`log/${logName(seq)}`);
    }
  });

  it('has its public half count: what it rescues is rescued', async () => {
    const packs = ['11'.repeat(32), '22'.repeat(32)];
    const { log } = await scratch.open();
    await log.append(() => ({ kind: 'CONDEMN', dropped: [], packs, segments: [], reason: '' }));
    plant({ kind: 'RESCUE', packs: packs.slice(0, 1), segments: none });
    expect([...(await scratch.open()).log.state.condemnedPacks.keys()]).toEqual(packs.slice(1));
  });

  it('is told of once as the newest, with a way to bring it back', async () => {
    const seq = plant(COMMIT);
    const doubts = doubtsOf((await scratch.open()).log);
    expect(doubts.map(({ message }) => message)).toEqual([expect.stringContaining(`entry ${seq}`)]);
    expect(doubts[0]?.hint).toMatch(/another copy of the store.*repair --log.*repair --give-up/);
  });

  it('is told of: what it costs, when it came, and what to do', async () => {
    underServer();
    const seq = plant(COMMIT);
    const { log } = await scratch.open();
    const [doubt] = doubtsOf(log);
    expect(doubt?.message).toContain(`log entry ${seq}, received 2026-11-21T00:00:00.000Z`);
    expect(doubt?.hint).toContain(`cairn repair --give-up ${seq}`);
    const { findings } = await checkRepository(await scratch.open(), { threads: 0 });
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'error', code: 'entry-unreadable' }));
  });
});

describe('behind an entry that cannot be read', () => {
  it('nobody appends where no server keeps the log, until it is given up by its number', async () => {
    const seq = plant(COMMIT);
    await expect(scratch.commit({ b: ['new'] })).rejects.toThrow(/cannot be read/);
    const access = await scratch.open();
    expect(() => access.log.assertAppendable()).toThrow(coded('CORRUPT'));
    await expect(planRepair(access, { threads: 0, giveUp: [seq - 1] })).rejects.toThrow(coded('USAGE'));
    const plan = await planRepair(access, { threads: 0 });
    expect(plan).toMatchObject({ empty: true, unreadable: [{ seq, archive: ARCHIVE, giveUp: false }] });
    await applyRepair(access, plan);
    expect(scratch.count('log')).toBe(seq);

    const chosen = await planRepair(access, { threads: 0, giveUp: [seq] });
    expect(chosen).toMatchObject({ empty: false, unreadable: [{ seq, giveUp: true }] });
    await applyRepair(access, chosen);
    await scratch.commit({ b: ['new'] });
    const later = await scratch.open();
    expect(doubtsOf(later.log)).toEqual([]);
    expect(await scratch.mistakes()).toEqual([]);
  });

  it('a repair makes one of which nothing is lost a part of the history', async () => {
    const seq = plant({ kind: 'INDEX', segments: none });
    const access = await scratch.open();
    const plan = await planRepair(access, { threads: 0, giveUp: [seq] });
    expect(plan.unreadable).toMatchObject([{ seq, archive: undefined, giveUp: true }]);
    await applyRepair(access, plan);
    await scratch.commit({ b: ['new'] });
    expect(await scratch.mistakes()).toEqual([]);
  });

  it('a repair that gives one up does not append behind another that came since', async () => {
    const seq = plant(COMMIT);
    const access = await scratch.open();
    const plan = await planRepair(access, { threads: 0, giveUp: [seq] });
    plant({ ...COMMIT, archive: 'ef'.repeat(16) } as Decision);
    await expect(applyRepair(access, plan)).rejects.toThrow(coded('CORRUPT'));
    expect(scratch.count('log')).toBe(seq + 1);
  });

  it('everybody goes on where a server keeps the log, and compaction waits until the archive is given up and dropped', async () => {
    underServer();
    const seq = plant(COMMIT);
    const old = await scratch.commit({ b: ['old'] });
    await scratch.commit({ c: ['new'] });
    await scratch.delete(old);
    expect(doubtsOf((await scratch.open()).log)).toHaveLength(1);
    scratch.advance(8 * DAY_MS);
    await expect(scratch.compact()).rejects.toThrow(/what it needs is not known/);

    const access = await scratch.open({ rights: 'maintain' });
    await applyRepair(access, await planRepair(access, { threads: 0, giveUp: [seq] }));
    await expect(scratch.compact()).rejects.toThrow(coded('CORRUPT'));
    scratch.advance(8 * DAY_MS);
    const report = await scratch.compact();
    expect(report).toMatchObject({ dropped: [{ id: old.id }], droppedUnreadable: 1 });
    scratch.advance(8 * DAY_MS);
    expect((await scratch.compact()).swept.packs).toBeGreaterThan(0);
    expect(await scratch.mistakes()).toEqual([]);
  });
});

describe('a flipped bit in a good entry', () => {
  const flip = (seq: number): (() => void) => {
    const label = `log/${logName(seq)}`;
    const good = scratch.objects.get(label) ?? { body: new Uint8Array(), receivedMs: 0 };
    const body = Buffer.from(good.body);
    body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
    scratch.objects.set(label, { ...good, body });
    return () => void scratch.objects.set(label, good);
  };
  const openWith = (heads: Map<string, SeenHead>): Promise<RepositoryAccess> => {
    const clientState: ClientState = {
      readHead: async (repository) => heads.get(repository),
      writeHead: async (repository, head) => void heads.set(repository, head),
    };
    const { store, environment, builder } = scratch;
    return RepositoryAccess.open({ store, keys: builder.keys, suite, environment, clientState });
  };

  it('of the newest loses nothing: nobody writes behind it, nobody remembers it, and the good one comes back', async () => {
    const newest = await scratch.commit({ b: ['newest'] });
    const [seen, fresh] = [new Map<string, SeenHead>(), new Map<string, SeenHead>()];
    await openWith(seen);
    const restore = flip(newest.seq);
    await expect(openWith(seen)).rejects.toThrow(/cannot be read/);
    const access = await openWith(fresh);
    expect([...access.log.state.archives.keys()]).toEqual([kept]);
    expect(access.log.state.unreadable()).toMatchObject([{ id: newest.id, seq: newest.seq }]);
    await expect(access.log.append(() => ({ kind: 'INDEX', segments: [] }))).rejects.toThrow(coded('CORRUPT'));
    expect([...fresh.values()].map(({ seq }) => seq)).toEqual([newest.seq - 1]);
    restore();
    for (const heads of [seen, fresh]) expect((await openWith(heads)).log.seq).toBe(newest.seq);
    expect([...fresh.values()]).toEqual([{ seq: newest.seq, hash: toHex(suite.sha256(headObject().object)) }]);
    await scratch.commit({ c: ['later'] });
    expect(await scratch.mistakes()).toEqual([]);
  });

  it('of an earlier one stops everybody, for what follows names the good one', async () => {
    await scratch.commit({ b: ['newest'] });
    const restore = flip(1);
    await expect(scratch.open()).rejects.toThrow(/log entry 1, a COMMIT, cannot be read/);
    restore();
    expect(await scratch.mistakes()).toEqual([]);
  });
});
