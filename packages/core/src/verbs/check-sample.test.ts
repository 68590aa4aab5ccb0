import { describe, expect, it } from 'vitest';

import { restrict } from '../crypto/capabilities.ts';
import { isCairnError } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import type { CheckMemory } from '../ports/check-memory.ts';
import type { Environment } from '../ports/environment.ts';
import { RepositoryAccess } from '../repository/access.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { ArchiveBuilder, fileNode, memoryClientState } from '../testing/archive-builder.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { CairnError } from '../errors.ts';
import { checkRepository, type CheckOptions, type CheckReport } from './check.ts';

const PACKS = 21;

interface Sample {
  readonly builder: ArchiveBuilder;
  readonly objects: Map<string, MemoryObject>;
  readonly memory: CheckMemory & { readonly times: Map<string, number> };
}

/** A memory as a client keeps it in a file. */
function memoryOf(): Sample['memory'] {
  const times = new Map<string, number>();
  return {
    times,
    read: () => Promise.resolve(new Map(times)),
    write(_repository, verified) {
      times.clear();
      for (const [name, ms] of verified) times.set(name, ms);
      return Promise.resolve();
    },
  };
}

/** 20 data packs and one of trees. */
async function sample(): Promise<Sample> {
  const objects = new Map<string, MemoryObject>();
  const builder = await ArchiveBuilder.create({ objects });
  const files = Array.from({ length: 20 }, (_, i) => fileNode(`f${i}`, [pseudoRandomBytes(`${i}`, 5000)]));
  await builder.commit(files, { packBytes: 1 });
  return { builder, objects, memory: memoryOf() };
}

/** Each look at the clock is `stepMs` later than the one before. */
function tickingEnvironment(stepMs: number): Environment {
  let ms = 0;
  const { random } = systemEnvironment;
  return { random, clock: { nowNs: () => BigInt((ms += stepMs)) * 1_000_000n, monotonicMs: () => (ms += stepMs) } };
}

async function check(
  { builder, objects, memory }: Sample,
  options: CheckOptions,
  environment: Environment = systemEnvironment,
  keys = builder.keys,
): Promise<CheckReport> {
  const store = new MemoryStore(systemEnvironment.clock, objects);
  const clientState = memoryClientState();
  const access = await RepositoryAccess.open({ store, keys, suite: nodeSuite, environment, clientState });
  return await checkRepository(access, { threads: 0, memory, ...options });
}

describe('a check of some packs', () => {
  it('gets round to each pack before it reads one again', async () => {
    const repository = await sample();
    const environment = tickingEnvironment(1);
    const seen = new Set<string>();
    for (let night = 1; night <= 5; night++) {
      const before = new Map(repository.memory.times);
      const report = await check(repository, { sample: { share: 0.2 } }, environment);
      expect(report).toMatchObject({ level: 'sample', packsRead: Math.ceil(PACKS * 0.2), errors: 0 });
      const read = [...repository.memory.times].filter(([name, ms]) => before.get(name) !== ms).map(([name]) => name);
      // 5 a night: in the fifth, one is left and those of the first come again.
      expect(read.filter((name) => !seen.has(name))).toHaveLength(night < 5 ? 5 : 1);
      for (const name of read) seen.add(name);
      expect(report.unverified.packs).toBe(PACKS - seen.size);
      if (night < 5) continue;
      expect(seen.size).toBe(PACKS);
      expect(report.unverified.oldestMs).toBe(Math.min(...repository.memory.times.values()));
    }
  });

  it('reads as many packs as the time allows, and goes on with the others', async () => {
    const repository = await sample();
    let nights = 0;
    for (let left = PACKS; left > 0; nights++) {
      const report = await check(repository, { sample: { forMs: 100 } }, tickingEnvironment(10));
      expect(report.packsRead).toBeGreaterThan(0);
      expect(report.packsRead).toBeLessThan(PACKS);
      expect(report.unverified.packs).toBe(Math.max(0, left - report.packsRead));
      left = report.unverified.packs;
    }
    expect(nights).toBeGreaterThan(1);
  });

  it('reads one pack at least, however little time there is', async () => {
    const report = await check(await sample(), { sample: { forMs: 1 } }, tickingEnvironment(1000));
    expect(report.packsRead).toBe(1);
  });

  it('forgets packs that are gone', async () => {
    const repository = await sample();
    repository.memory.times.set('ee'.repeat(32), 1);
    await check(repository, { sample: { share: 0.1 } });
    expect(repository.memory.times.has('ee'.repeat(32))).toBe(false);
  });

  it('remembers what it read when it is stopped', async () => {
    const repository = await sample();
    const { builder, objects, memory } = repository;
    const store = new FaultyStore(new MemoryStore(systemEnvironment.clock, objects));
    const access = await builder.access(store);
    const stop = new AbortController();
    const onProgress = ({ phase, done }: { phase: string; done: number }): void => {
      if (phase === 'data' && done > 30_000) stop.abort();
    };
    const run = checkRepository(access, { threads: 0, data: true, memory }, { signal: stop.signal, onProgress });
    await expect(run).rejects.toSatisfy((error) => isCairnError(error, 'CANCELLED'));
    expect(memory.times.size).toBeGreaterThan(3);
    expect(memory.times.size).toBeLessThan(PACKS);
  });

  it('is not hurt by a memory that fails', async () => {
    const repository = await sample();
    const broken = (): Promise<never> => Promise.reject(new CairnError('TARGET_FAILED', 'no space'));
    const report = await check(repository, { data: true, memory: { read: broken, write: broken } });
    expect(report.findings.map(({ code }) => code)).toEqual(['check-not-remembered']);
    expect(report).toMatchObject({ packsRead: PACKS, errors: 0, warnings: 0 });
  });

  it.each([{}, { forMs: 0 }, { forMs: Number.NaN }, { share: 2, forMs: 5 }])('rejects a sample of %j', async (of) => {
    await expect(check(await sample(), { sample: of })).rejects.toSatisfy((error) => isCairnError(error, 'USAGE'));
  });
});

describe('a check in the log', () => {
  const flipLast = (object: MemoryObject): MemoryObject => {
    const body = new Uint8Array(object.body);
    body[body.length - 3000] = (body[body.length - 3000] as number) ^ 1;
    return { ...object, body };
  };

  it('says which places are damaged, and takes it back when they are sound', async () => {
    const repository = await sample();
    const { builder, objects } = repository;
    const label = [...objects].find(([name, { body }]) => name.startsWith('packs/') && body[5] === 1)?.[0] ?? '';
    const good = objects.get(label) as MemoryObject;
    objects.set(label, flipLast(good));
    const found = await check(repository, { data: true });
    expect(found.findings.map(({ code }) => code).toSorted()).toEqual(['chunk-damaged', 'pack-damaged']);
    expect(found).toMatchObject({ recorded: true, affected: { archives: 1, paths: 1 } });
    const { damage } = (await builder.access()).log.state;
    const noted = damage.packs.get(label.slice('packs/'.length));
    expect(noted).toBeInstanceOf(Set);
    expect(noted === 'all' ? 0 : noted?.size).toBe(1);

    // Known by now: the pack is no news any more, what it means for files is.
    const again = await check(repository, { data: true });
    expect(again.findings.map(({ code }) => code).toSorted()).toEqual(['chunk-damaged', 'damage-noted']);
    // Without reading packs, a place that was noted is tried.
    const structure = await check(repository, {});
    expect(structure.findings.map(({ code }) => code)).toEqual(['chunk-damaged']);
    const blind = await check(repository, {}, systemEnvironment, restrict(builder.keys, 'maintain'));
    expect(blind.findings.map(({ code }) => code)).toEqual(['chunk-unverified']);

    objects.set(label, good);
    expect((await check(repository, { data: true })).findings).toEqual([]);
    expect((await builder.access()).log.state.damage.packs.size).toBe(0);
  });

  it('is left out when the store takes no entry, which is told', async () => {
    const { builder, objects } = await sample();
    const error = (): CairnError => new CairnError('STORE_DENIED', 'read only');
    const store = new FaultyStore(new MemoryStore(systemEnvironment.clock, objects), [
      { operation: 'put', at: 1, when: 'before', times: Infinity, error },
    ]);
    const report = await checkRepository(await builder.access(store), { threads: 0 });
    expect(report).toMatchObject({ recorded: false, errors: 0, warnings: 0 });
    expect(report.findings.map(({ code }) => code)).toEqual(['check-not-recorded']);
  });

  it('is left out with a key that only writes', async () => {
    const repository = await sample();
    const report = await check(repository, {}, systemEnvironment, restrict(repository.builder.keys, 'write'));
    expect(report.recorded).toBe(false);
  });
});
