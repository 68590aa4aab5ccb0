import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  createKeyFile,
  encodeKeyFileText,
  MemoryStore,
  nodeSuite,
  Repository,
  systemEnvironment,
  systemTimer,
  type Capabilities,
  type ObjectStore,
} from '@cairn/core';
import { FaultyStore, type Fault } from '@cairn/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { parseJobText, runJob, RunStore, type JobFile, type RunOutcome } from '../dist/index.js';

type Objects = ConstructorParameters<typeof MemoryStore>[1];

/** Archives that the job keeps. */
const KEPT = 1;

let directory: string;
let job: JobFile;
let keys: Capabilities;
let base: NonNullable<Objects>;
let round = 0;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-run-faults-'));
  mkdirSync(at('source'));
  base = new Map();
  const created = await Repository.create(new MemoryStore(systemEnvironment.clock, base));
  keys = created.keys;
  await created.repository.close();
  const notes = { label: '', createdNs: systemEnvironment.clock.nowNs() };
  await createKeyFile(nodeSuite, at('key'), encodeKeyFileText(nodeSuite, keys, notes));
  job = parseJobText(
    `[repository]
address = "${at('repo')}"
key-file = "${at('key')}"
[backup]
series = "nightly"
sources = ["${at('source')}"]
threads = 0
[prune]
keep-last = ${KEPT}
max-share = "100%"
[compact]
grace = 0
max-unused = "0%"
[check]
share = "100%"
[limits]
retries = 0
minimum-free = 0
`,
    'nightly',
  );
  // So many that the runs below have something to prune, to condemn and to sweep.
  for (let i = 0; i < KEPT + 1; i++) await run(new MemoryStore(systemEnvironment.clock, base));
});
afterEach(() => rmSync(directory, { recursive: true }));

function at(name: string): string {
  return join(directory, name);
}

/** A run of the job on something new, from a machine that remembers nothing. */
async function run(store: ObjectStore): Promise<RunOutcome> {
  rmSync(at('state'), { recursive: true, force: true });
  round += 1;
  writeFileSync(at('source/changing'), `round ${round} `.repeat(1_000));
  const runs = new RunStore(at('state/runs'));
  const outcome = await runJob(job, {
    runs,
    trigger: 'manual',
    signal: new AbortController().signal,
    environment: systemEnvironment,
    timer: systemTimer,
    variables: { PATH: process.env['PATH'] },
    directories: { state: at('state'), cache: at('cache'), keys: at('keys') },
    host: 'web',
    user: 'root',
    program: 'test',
    openStore: async () => store,
  });
  const { status, exit, run: id } = outcome;
  expect(await runs.get(id)).toMatchObject({ status, exit });
  return outcome;
}

async function contentOf(repository: Repository, archive: string, path: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of (await repository.view(archive)).read(path)) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces).toString();
}

/** Nothing is damaged, no more is gone than the job removes, and each archive has its files whole. */
async function expectSound(objects: NonNullable<Objects>): Promise<void> {
  const repository = await Repository.open(new MemoryStore(systemEnvironment.clock, objects), { keys });
  const { findings } = await repository.check({ threads: 0, sample: { share: 1 } });
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  const archives = repository.archives();
  expect(archives.length).toBeGreaterThanOrEqual(KEPT);
  for (const { name } of archives) {
    expect(await contentOf(repository, name, at('source/changing'))).toMatch(/^(round \d+ )\1{999}$/);
  }
  await repository.close();
}

/** Runs the job with that fault: whether there was such a call, and the steps that failed. */
async function runWith(fault: Fault): Promise<{ readonly met: boolean; readonly failed: readonly string[] }> {
  const objects = new Map(base);
  const store = new FaultyStore(new MemoryStore(systemEnvironment.clock, objects), [fault]);
  const { status, exit, steps } = await run(store);
  expect([status, exit === 0]).toEqual(exit === 0 ? ['success', true] : ['failed', false]);
  await expectSound(objects);
  // The next night all is well again.
  if (fault.at % 5 === 0) expect((await run(new MemoryStore(systemEnvironment.clock, objects))).exit).toBe(0);
  const calls = fault.operation === undefined ? store.operations : store.counts[fault.operation];
  return { met: calls >= fault.at, failed: steps.flatMap(({ step, status: one }) => (one === 0 ? [] : [step])) };
}

describe('a run whose store fails one call', () => {
  it('tells so, and leaves a repository that is whole, whichever call it is', async () => {
    const seen = new Set<string>();
    for (let call = 1; ; call++) {
      const { met, failed } = await runWith({ at: call, when: 'before' });
      for (const step of failed) seen.add(step);
      if (!met) {
        expect([failed, call > 20]).toEqual([[], true]);
        break;
      }
    }
    // Each kind of work met its fault.
    expect([...seen].toSorted()).toEqual(['backup', 'check', 'compact', 'prune', 'reachable']);
  });

  // Of what only reads, a lost answer is no other thing than a call that failed.
  it.each(['put', 'delete'] as const)('does so when a %s was done and only its answer is lost', async (operation) => {
    for (let call = 1; ; call++) {
      const { met, failed } = await runWith({ operation, at: call, when: 'after' });
      if (!met) {
        expect([failed, call > 1]).toEqual([[], true]);
        break;
      }
    }
  });
});
