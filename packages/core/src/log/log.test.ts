import { describe, expect, it } from 'vitest';

import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { CairnError, invariant, isCairnError } from '../errors.ts';
import { logName, toHex } from '../ids.ts';
import type { Clock } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { ClientState, SeenHead } from '../ports/client-state.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { FaultyStore, type Fault } from '../testing/faulty-store.ts';
import { SAMPLE_DESCRIPTOR } from '../testing/log-samples.ts';
import { SAMPLE_KEYS, seededRandom } from '../testing/sample-keys.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { LOG_KIND_NUMBER } from './decision.ts';
import { encodeLogFrame } from './entry.ts';
import { encodeLogEntry, type LogEntry } from './kinds.ts';
import { Log, type LoggedEntry } from './log.ts';

const { log: logKey } = SAMPLE_KEYS;
invariant(logKey !== undefined, 'a root key has everything');
const random = seededRandom('log');
const CONFIG_HASH = suite.sha256(Buffer.from('config'));
const REPOSITORY = '00'.repeat(16);

/** A clock that goes on a millisecond each time it is asked. */
function tickingClock(): Clock {
  let now = 1_795_248_000_000_000_000n;
  return { nowNs: () => (now += 1_000_000n), monotonicMs: () => Number(now / 1_000_000n) };
}

/** One client's memory of the head; `heads` may be looked at and changed. */
function clientState(heads = new Map<string, SeenHead>()): ClientState & { readonly heads: Map<string, SeenHead> } {
  return {
    heads,
    readHead: (repository) => Promise.resolve(heads.get(repository)),
    writeHead: (repository, head) => Promise.resolve(void heads.set(repository, head)),
  };
}

function withPut(store: ObjectStore, put: ObjectStore['put']): ObjectStore {
  return {
    description: store.description,
    put,
    get: (...asked) => store.get(...asked),
    list: (...asked) => store.list(...asked),
    delete: (...asked) => store.delete(...asked),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

class World {
  readonly objects = new Map<string, MemoryObject>();
  readonly clock = tickingClock();
  readonly store = new MemoryStore(this.clock, this.objects);

  open(options: { store?: ObjectStore; state?: ClientState; configHash?: Uint8Array } = {}): Promise<Log> {
    const { store = this.store, state = clientState(), configHash = CONFIG_HASH } = options;
    const environment = { clock: this.clock, random };
    return Log.open({
      store,
      suite,
      environment,
      clientState: state,
      repository: REPOSITORY,
      logKey: logKey as Uint8Array,
      configHash,
    });
  }

  faulty(...faults: Fault[]): FaultyStore {
    return new FaultyStore(this.store, faults);
  }

  object(seq: number): Buffer {
    const object = this.objects.get(`log/${logName(seq)}`);
    invariant(object !== undefined, 'the slot is taken');
    return Buffer.from(object.body);
  }

  /** Puts an object in a slot behind everybody's back. */
  plant(seq: number, body: Uint8Array): void {
    this.objects.set(`log/${logName(seq)}`, { body, receivedMs: 0 });
  }

  /** An entry that chains, whatever it says. */
  forge(seq: number, entry: LogEntry, change: { seq?: number; previous?: Uint8Array; kind?: number } = {}): Uint8Array {
    const previous = seq === 1 ? CONFIG_HASH : suite.sha256(this.object(seq - 1));
    const frame = { kind: LOG_KIND_NUMBER[entry.kind], seq, previous, timeNs: 0n, ...encodeLogEntry(entry), ...change };
    return encodeLogFrame(suite, random, logKey as Uint8Array, frame);
  }
}

const index = (number: number): LogEntry => ({
  kind: 'INDEX',
  segments: [toHex(suite.sha256(Buffer.from(`segment ${number}`)))],
});
const UNPIN: LogEntry = { kind: 'UNPIN', pin: 'ab'.repeat(16) };
const coded = (code: string): unknown => expect.toSatisfy((error) => isCairnError(error) && error.code === code);

async function allOf(log: Log): Promise<LoggedEntry[]> {
  const entries: LoggedEntry[] = [];
  for await (const entry of log.entries()) entries.push(entry);
  return entries;
}

async function filled(entries: number): Promise<{ world: World; state: ReturnType<typeof clientState> }> {
  const world = new World();
  const state = clientState();
  const log = await world.open({ state });
  for (let i = 1; i <= entries; i++) await log.append(() => index(i));
  expect(log.seq).toBe(entries);
  return { world, state };
}

describe('a log', () => {
  it('is empty at first, grows, and is the same for who opens it later', async () => {
    const { world } = await filled(40);
    const log = await world.open();
    expect(log.seq).toBe(40);
    expect([...world.objects.keys()].sort()).toEqual(
      Array.from({ length: 40 }, (_, i) => `log/${logName(i + 1)}`).sort(),
    );
    expect((await new World().open()).seq).toBe(0);
  });

  it('asks what to append with the state at the head, and appends nothing when told so', async () => {
    const world = new World();
    const [one, two] = [await world.open(), await world.open()];
    const condemn: LogEntry = { kind: 'CONDEMN', dropped: [], packs: ['11'.repeat(32)], segments: [], reason: '' };
    await one.append(() => condemn);
    const seen: number[] = [];
    await two.append((state) => {
      seen.push(state.condemnedPacks.size);
      return state.condemnedPacks.size === 0 ? index(1) : undefined;
    });
    // Its first answer lost against what `one` had appended; the second was not to append.
    expect(seen).toEqual([0, 1]);
    expect([two.seq, world.objects.size]).toEqual([1, 1]);
  });

  it('tells when the store received an archive', async () => {
    const world = new World();
    const log = await world.open();
    const archive = toHex(SAMPLE_DESCRIPTOR.id);
    const commit = {
      kind: 'COMMIT',
      archive,
      base: null,
      segments: [],
      rescuedPacks: [],
      rescuedSegments: [],
    } as const;
    await log.append(() => ({ ...commit, descriptor: SAMPLE_DESCRIPTOR }));
    const { receivedMs } = [...world.objects.values()][0] ?? { receivedMs: -1 };
    expect((await world.open()).state.archives.get(archive)?.receivedMs).toBe(receivedMs);
    expect(Math.abs((log.state.archives.get(archive)?.receivedMs ?? 0) - receivedMs)).toBeLessThan(5_000);
  });

  it('tells which slot it wrote, or that it wrote none', async () => {
    const world = new World();
    const [one, two] = [await world.open(), await world.open()];
    expect(await one.append(() => index(1))).toBe(1);
    expect(await two.append(() => index(2))).toBe(2);
    expect(await one.append(() => undefined)).toBeUndefined();
    expect(world.objects.size).toBe(2);
  });

  it('takes an entry that a listing does not show for one received now, so that no grace is over early', async () => {
    const { world } = await filled(2);
    const hiding = new FaultyStore(world.store);
    hiding.list = async function* list(kind) {
      for await (const info of world.store.list(kind)) if (info.name !== logName(1)) yield info;
    };
    const before = Number(world.clock.nowNs() / 1_000_000n);
    const log = await world.open({ store: hiding });
    const [first, second] = await allOf(log);
    expect(first?.receivedMs).toBeGreaterThan(before);
    expect(second?.receivedMs).toBe(world.objects.get(`log/${logName(2)}`)?.receivedMs);
  });

  it('never takes an entry that breaks a rule from its own program', async () => {
    const { world } = await filled(1);
    const log = await world.open();
    await expect(log.append(() => UNPIN)).rejects.toThrow(coded('INTERNAL'));
    expect(world.objects.size).toBe(1);
    await log.append(() => index(2));
    expect(log.seq).toBe(2);
  });
});

describe('appending', () => {
  it('by several clients at once loses nothing and writes nothing twice', async () => {
    const world = new World();
    const logs = await Promise.all(Array.from({ length: 4 }, () => world.open()));
    await Promise.all(
      logs.map(async (log, client) => {
        for (let i = 0; i < 10; i++) await log.append(() => index(100 * client + i));
      }),
    );
    const log = await world.open();
    expect([log.seq, world.objects.size]).toEqual([40, 40]);
  });

  it('several times at once through one log is done in turn', async () => {
    const world = new World();
    // Answers that come late: the second append would read the first's entry before that one is told of it.
    const slow = withPut(world.store, async (key, body) => {
      await world.store.put(key, body);
      await new Promise((resolve) => setTimeout(resolve, 5));
    });
    const log = await world.open({ store: slow });
    const appends = Array.from({ length: 5 }, (_, i) => log.append(() => index(i)));
    const failing = log.append(() => {
      throw new CairnError('CANCELLED', 'not now');
    });
    await Promise.all([...appends, log.refresh(), log.append(() => index(9))]);
    await expect(failing).rejects.toThrow(coded('CANCELLED'));
    expect([log.seq, world.objects.size]).toEqual([6, 6]);
  });

  it('of unknown outcome is decided by reading the slot back', async () => {
    const unreachable = (what: string): CairnError => new CairnError('STORE_UNREACHABLE', what);
    // It arrived; only the answer was lost.
    const arrived = new World();
    const log = await arrived.open({
      store: arrived.faulty({ at: 1, operation: 'put', when: 'after', error: unreachable }),
    });
    await log.append(() => index(1));
    expect([log.seq, arrived.objects.size]).toEqual([1, 1]);
    await log.append(() => index(2));
    expect((await arrived.open()).seq).toBe(2);
    // It did not arrive: the caller is told, and may try again.
    const lost = new World();
    const other = await lost.open({
      store: lost.faulty({ at: 1, operation: 'put', when: 'before', error: unreachable }),
    });
    await expect(other.append(() => index(1))).rejects.toThrow(coded('STORE_UNREACHABLE'));
    expect([other.seq, lost.objects.size]).toEqual([0, 0]);
    await other.append(() => index(1));
    expect((await lost.open()).seq).toBe(1);
  });

  it('of unknown outcome goes on behind another client that was faster', async () => {
    const world = new World();
    const rival = await world.open();
    const error = (what: string): CairnError => new CairnError('STORE_UNREACHABLE', what);
    const log = await world.open({ store: world.faulty({ at: 1, operation: 'put', when: 'before', error }) });
    let asked = 0;
    await log.append(async () => {
      asked += 1;
      if (asked === 1) await rival.append(() => index(1));
      return index(2);
    });
    expect([asked, log.seq, world.objects.size]).toEqual([2, 2, 2]);
  });

  it('is not done twice when a put repeated itself', async () => {
    // A carrier that sends the object again: the second time it is there already, and it is this one.
    const world = new World();
    const twice = withPut(world.store, async (key, body) => {
      await world.store.put(key, body);
      await world.store.put(key, body);
    });
    const log = await world.open({ store: twice });
    await log.append(() => index(1));
    expect([log.seq, world.objects.size]).toEqual([1, 1]);
  });

  it('passes on what a store says when it refuses', async () => {
    const world = new World();
    for (const code of ['STORE_FULL', 'STORE_DENIED', 'STORE_FAILED'] as const) {
      const error = (what: string): CairnError => new CairnError(code, what);
      const log = await world.open({ store: world.faulty({ at: 1, operation: 'put', when: 'before', error }) });
      await expect(log.append(() => index(1))).rejects.toThrow(coded(code));
    }
    expect(world.objects.size).toBe(0);
  });
});

describe('replaying', () => {
  it('stops at an entry that was changed in any way', async () => {
    const { world } = await filled(2);
    const good = world.object(1);
    for (const { what, bytes } of mutationsOf(good.subarray(0, 60))) {
      world.plant(1, Buffer.concat([bytes, good.subarray(60)]));
      await expect(world.open(), what).rejects.toThrow(
        expect.toSatisfy((e) => isCairnError(e, 'CORRUPT') || isCairnError(e, 'FORMAT_UNSUPPORTED')),
      );
    }
    for (const body of [good.subarray(0, -1), Buffer.concat([good, Buffer.of(0)]), Buffer.alloc(0)]) {
      world.plant(1, body);
      await expect(world.open()).rejects.toThrow(coded('CORRUPT'));
    }
    world.plant(1, good);
    expect((await world.open()).seq).toBe(2);
  });

  it('stops where the chain is broken', async () => {
    const { world } = await filled(3);
    const [first, second, third] = [world.object(1), world.object(2), world.object(3)];
    const cases: readonly (readonly [string, Readonly<Record<number, Uint8Array>>])[] = [
      ['two entries exchanged', { 1: second, 2: first }],
      ['an entry twice', { 2: first }],
      ['an entry of another history', { 2: world.forge(2, index(9)) }],
      ['an entry that says it is another', { 3: world.forge(3, index(9), { seq: 4 }) }],
      ['an entry that follows another', { 3: world.forge(3, index(9), { previous: suite.sha256(first) }) }],
      ['a first entry of another config', { 1: world.forge(1, index(9), { previous: Buffer.alloc(32) }) }],
    ];
    for (const [what, slots] of cases) {
      for (const [seq, body] of [first, second, third].entries()) world.plant(seq + 1, body);
      for (const [seq, body] of Object.entries(slots)) world.plant(Number(seq), body);
      await expect(world.open(), what).rejects.toThrow(coded('CORRUPT'));
    }
    await expect(world.open({ configHash: Buffer.alloc(32) })).rejects.toThrow(coded('CORRUPT'));
  });

  it('stops at an entry that breaks a rule, or is of a newer program', async () => {
    const { world } = await filled(1);
    world.plant(2, world.forge(2, UNPIN));
    await expect(world.open()).rejects.toThrow(/entry 2 breaks a rule/);
    world.plant(2, world.forge(2, index(1), { kind: 12 }));
    await expect(world.open()).rejects.toThrow(coded('FORMAT_UNSUPPORTED'));
  });

  it('stops at an entry that is missing, wherever it is', async () => {
    for (const missing of [1, 20, 39]) {
      const { world } = await filled(40);
      world.objects.delete(`log/${logName(missing)}`);
      await expect(world.open()).rejects.toThrow(coded('OBJECT_MISSING'));
    }
  });

  it('passes on what a store says when it cannot be read', async () => {
    const { world } = await filled(3);
    for (const operation of ['list', 'get'] as const) {
      for (let at = 1; at <= (operation === 'list' ? 1 : 4); at++) {
        await expect(world.open({ store: world.faulty({ at, operation, when: 'before' }) })).rejects.toThrow(
          coded('STORE_FAILED'),
        );
      }
    }
  });
});

describe('the entries of a log', () => {
  it('come in order, with both times, as they were appended', async () => {
    const { world } = await filled(40);
    const entries = await allOf(await world.open());
    expect(entries.map(({ seq, entry }) => [seq, entry])).toEqual(
      Array.from({ length: 40 }, (_, i) => [i + 1, index(i + 1)]),
    );
    for (const { seq, receivedMs, writtenNs } of entries) {
      expect(receivedMs).toBe(world.objects.get(`log/${logName(seq)}`)?.receivedMs);
      expect(writtenNs).toBe(world.object(seq).readBigInt64LE(48));
    }
    expect(await allOf(await new World().open())).toEqual([]);
  });

  it('end at the head that this client has seen', async () => {
    const { world } = await filled(3);
    const log = await world.open();
    await (await world.open()).append(() => index(4));
    expect((await allOf(log)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    await log.refresh();
    expect((await allOf(log)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it('are verified again', async () => {
    const { world } = await filled(3);
    const log = await world.open();
    const last = world.object(3);
    world.plant(3, world.forge(3, index(9)));
    await expect(allOf(log)).rejects.toThrow(/entry 3 is another than before/);
    world.plant(3, last);
    world.plant(2, world.object(1));
    await expect(allOf(log)).rejects.toThrow(coded('CORRUPT'));
    world.objects.delete(`log/${logName(2)}`);
    await expect(allOf(log)).rejects.toThrow(coded('OBJECT_MISSING'));
  });

  it('are not given out when the store cannot be read', async () => {
    const { world } = await filled(3);
    for (const operation of ['list', 'get'] as const) {
      const at = operation === 'list' ? 2 : 5;
      const log = await world.open({ store: world.faulty({ at, operation, when: 'before' }) });
      await expect(allOf(log)).rejects.toThrow(coded('STORE_FAILED'));
    }
  });
});

describe('a client', () => {
  it('notices a log that is shorter than what it saw', async () => {
    const { world, state } = await filled(3);
    world.objects.delete(`log/${logName(3)}`);
    await expect(world.open({ state })).rejects.toThrow(coded('ROLLBACK_DETECTED'));
    world.objects.clear();
    await expect(world.open({ state })).rejects.toThrow(coded('ROLLBACK_DETECTED'));
    // Another client has nothing to compare with.
    expect((await world.open()).seq).toBe(0);
  });

  it('notices another history of the same length, or longer', async () => {
    const { world, state } = await filled(3);
    const other = await filled(5);
    for (const seq of [1, 2, 3, 4, 5]) world.plant(seq, other.world.object(seq));
    await expect(world.open({ state })).rejects.toThrow(coded('ROLLBACK_DETECTED'));
  });

  it('notices another repository in the place of an empty one', async () => {
    const world = new World();
    const state = clientState();
    await world.open({ state });
    expect(state.heads.get(REPOSITORY)).toEqual({ seq: 0, hash: toHex(CONFIG_HASH) });
    await expect(world.open({ state, configHash: Buffer.alloc(32) })).rejects.toThrow(coded('ROLLBACK_DETECTED'));
  });

  it('notices it while it runs, before it writes', async () => {
    const { world, state } = await filled(2);
    const log = await world.open({ state });
    const fork = await filled(2);
    for (const seq of [1, 2]) world.plant(seq, fork.world.object(seq));
    const forked = await world.open();
    await forked.append(() => index(3));
    await expect(log.append(() => index(4))).rejects.toThrow(coded('CORRUPT'));
    expect(world.objects.size).toBe(3);
  });

  it('remembers the head after opening and after each append', async () => {
    const { world, state } = await filled(2);
    const head = (seq: number): SeenHead => ({ seq, hash: toHex(suite.sha256(world.object(seq))) });
    expect(state.heads.get(REPOSITORY)).toEqual(head(2));
    const rival = await world.open();
    await rival.append(() => index(3));
    await world.open({ state });
    expect(state.heads.get(REPOSITORY)).toEqual(head(3));
  });
});
