import { CairnError, Repository, systemEnvironment, systemTimer } from '@cairn/core';
import { FaultyStore, VirtualTime, type Fault } from '@cairn/core/testing';
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { nodeAt, Shelf } from '../../test/support/shelf.ts';
import { ArchiveFileSystem } from './file-system.ts';
import { PatientStore } from './patient-store.ts';
import { Refusal } from './refusal.ts';

const CONTENT = Buffer.alloc(200_000, 'some content. ');

/** Looks at everything there is; gives what was read, or the first refusal. */
async function readAll(shelf: Shelf, fault: Fault | undefined): Promise<string> {
  const store = new FaultyStore(shelf.store, fault === undefined ? [] : [fault]);
  let problems = 0;
  let repository: Repository;
  try {
    repository = await Repository.open(store, { keys: shelf.keys });
  } catch (error) {
    return error instanceof CairnError ? 'not opened' : Promise.reject(error);
  }
  const archive = repository.archive('latest');
  try {
    await using reader = await repository.reader({ threads: 0 });
    const { clock } = systemEnvironment;
    const onProblem = (): void => void (problems += 1);
    const fileSystem = new ArchiveFileSystem({ reader, clock, shown: { archive }, onProblem });
    const source = await shelf.source(fileSystem, archive);
    const names: string[] = [];
    await fileSystem.list(source, 2, true, ({ name }) => names.push(name) > 0);
    expect(names).toEqual(['a', 'b']);
    for (const name of names) {
      const pieces = await fileSystem.read(await nodeAt(fileSystem, [name], source), 0, 1_000_000);
      expect(Buffer.concat(pieces).equals(CONTENT)).toBe(true);
    }
    return `all, after ${store.operations} operations`;
  } catch (error) {
    if (error instanceof CairnError) return 'not opened';
    if (!(error instanceof Refusal)) throw error;
    expect([error.code, problems]).toEqual(['EIO', 1]);
    return 'refused';
  }
}

describe('a store that fails', () => {
  it('at any of its operations gives an error that is told, never less than what is there', async () => {
    await using shelf = await Shelf.make((directory) => {
      for (const name of ['a', 'b']) writeFileSync(`${directory}/${name}`, CONTENT);
    });
    const operations = Number(/\d+/.exec(await readAll(shelf, undefined))?.[0]);
    expect(operations).toBeGreaterThan(5);
    const outcomes = new Set<string>();
    for (let at = 1; at <= operations; at++) {
      for (const when of ['before', 'after'] as const)
        outcomes.add((await readAll(shelf, { at, when })).split(',')[0] ?? '');
    }
    expect(outcomes).toContain('refused');
    expect(outcomes).toContain('not opened');
  });

  it('and then works again, gives everything to who looks again', async () => {
    await using shelf = await Shelf.make((directory) => writeFileSync(`${directory}/a`, CONTENT));
    let fails = true;
    const { reader } = shelf;
    const flaky = {
      prefetch: () => undefined,
      chunk: async (...args: Parameters<typeof reader.chunk>) => {
        if (fails) throw new CairnError('STORE_UNREACHABLE', 'gone');
        return await reader.chunk(...args);
      },
    };
    const archive = shelf.repository.archive('latest');
    const fileSystem = shelf.show({ archive }, { reader: flaky });
    await expect(shelf.source(fileSystem, archive)).rejects.toMatchObject({ code: 'EIO' });
    fails = false;
    const file = await nodeAt(fileSystem, ['a'], await shelf.source(fileSystem, archive));
    expect(Buffer.concat(await fileSystem.read(file, 0, 1_000_000)).equals(CONTENT)).toBe(true);
  });
});

/** A store that waits by the clock of this machine. */
function patientOver(store: FaultyStore, onOutage: (text: string) => void = () => undefined): PatientStore {
  return new PatientStore(store, { clock: systemEnvironment.clock, timer: systemTimer, onOutage });
}

describe('PatientStore', () => {
  const key = { kind: 'config', name: 'config' } as const;

  async function patient(fault: Fault, waitMs: number): Promise<{ store: PatientStore; told: string[] }> {
    await using shelf = await Shelf.make(() => undefined);
    const told: string[] = [];
    const faulty = new FaultyStore(shelf.store, [fault]);
    const store = patientOver(faulty, (text) => told.push(text));
    store.waitUpTo(waitMs);
    return { store, told };
  }

  it('waits for what comes back, and tells once that it was away', async () => {
    const { store, told } = await patient({ at: 1, when: 'before', times: 2 }, 10_000);
    expect((await store.get(key)).length).toBeGreaterThan(0);
    expect(told).toEqual([expect.stringContaining('waiting for it'), expect.stringContaining('answers again')]);
  });

  it('gives up after its time, and at once while it has none', async () => {
    const { store } = await patient({ at: 1, when: 'before', times: Infinity }, 600);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    store.waitUpTo(0);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  describe('over a store that is away for a whole minute', () => {
    const AWAY_MS = 60_000;

    /** When a read ended, in milliseconds since the store went away, how, and what was told meanwhile. */
    async function readDuring(waitMs: number): Promise<{ ms: number; outcome: string; told: string[] }> {
      await using shelf = await Shelf.make(() => undefined);
      const time = new VirtualTime();
      const told: string[] = [];
      const away = new FaultyStore(shelf.store);
      away.get = async (...args) => {
        if (time.monotonicMs() < AWAY_MS) throw new CairnError('STORE_UNREACHABLE', 'the server is away');
        return await shelf.store.get(...args);
      };
      const store = new PatientStore(away, { clock: time, timer: time, onOutage: (text) => told.push(text) });
      store.waitUpTo(waitMs);
      const outcome = await store.get(key).then(
        () => 'read',
        (error: unknown) => (error instanceof CairnError ? error.code : String(error)),
      );
      return { ms: time.monotonicMs(), outcome, told };
    }

    it('reads on within seconds of its return, in the two minutes that it waits unless told', async () => {
      const { ms, outcome, told } = await readDuring(120_000);
      expect(outcome).toBe('read');
      // It asks at least every five seconds.
      expect([ms >= AWAY_MS, ms <= AWAY_MS + 5_000]).toEqual([true, true]);
      expect(told).toEqual(['the server is away; waiting for it', expect.stringContaining('answers again')]);
    });

    it('is an error at the very time that was given', async () => {
      expect(await readDuring(45_000)).toMatchObject({ ms: 45_000, outcome: 'STORE_UNREACHABLE' });
    });
  });

  it('takes a store that hangs for one that is gone', async () => {
    await using shelf = await Shelf.make(() => undefined);
    const signals: (AbortSignal | undefined)[] = [];
    const hanging = new FaultyStore(shelf.store);
    hanging.get = async (_, options) => {
      signals.push(options?.signal);
      return await new Promise<never>(() => undefined);
    };
    const store = patientOver(hanging);
    store.waitUpTo(500);
    const beganMs = performance.now();
    await expect(store.get(key)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('gave no answer within') as string,
    });
    const tookMs = performance.now() - beganMs;
    expect([tookMs > 450, tookMs < 1_500]).toEqual([true, true]);
    // What is not waited for any more is told to stop.
    expect(signals.every((signal) => signal?.aborted === true)).toBe(true);
  });

  it('does not wait for what no waiting mends', async () => {
    const error = (): Error => new CairnError('CORRUPT', 'broken');
    const { store, told } = await patient({ at: 1, when: 'before', times: Infinity, error }, 60_000);
    await expect(store.get(key)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(told).toEqual([]);
  });
});
