import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  isCairnError,
  MemoryStore,
  Repository,
  systemEnvironment,
  type Capabilities,
  type ObjectStore,
} from '@cairn/core';
import { FaultyStore } from '@cairn/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { applyDumpRestore, dumpSchema, planDumpRestore, prepareDump, type DumpContext } from '../dist/index.js';

/** Bytes of the dump: several chunks and packs. */
const BYTES = 3_000_000;
const EXPECTED = Buffer.from(Array.from({ length: 500_000 }, (_, i) => `${i + 1}\n`).join('')).subarray(0, BYTES);

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'cairn-faults-'))));
afterEach(() => rmSync(directory, { recursive: true }));

/** What prints numbers, and what takes them back as a whole or not at all: it counts only what ends by itself. */
const DUMP = dumpSchema.parse({
  kind: 'command',
  command: ['sh', '-c', `seq 10000000 | head -c ${BYTES}`],
  'restore-command': ['sh', '-c', 'cat > "$HOME/part" && mv "$HOME/part" "$HOME/whole"'],
});

function context(): DumpContext {
  const variables = { PATH: process.env['PATH'] ?? '', HOME: directory };
  const signal = new AbortController().signal;
  return { environment: systemEnvironment, variables, signal, temporaryDirectory: directory };
}

async function dump(repository: Repository): Promise<void> {
  const { contents } = await prepareDump(DUMP, context());
  await repository.backup({ paths: [], threads: 0, contents: contents.map(({ source }) => source) });
}

/** Restores the newest archive, and holds what is there then against what there was. */
async function restore(repository: Repository): Promise<void> {
  rmSync(join(directory, 'whole'), { force: true });
  const request = { overwrite: true };
  const steps = await planDumpRestore(DUMP, await repository.view('latest'), request, context());
  const { failure } = await applyDumpRestore(steps, request);
  expect(existsSync(join(directory, 'whole'))).toBe(failure === undefined);
  if (failure !== undefined) throw failure;
  expect(readFileSync(join(directory, 'whole')).equals(EXPECTED)).toBe(true);
}

async function emptyStore(): Promise<[MemoryStore, Capabilities]> {
  const store = new MemoryStore(systemEnvironment.clock);
  const { repository, keys } = await Repository.create(store);
  await repository.close();
  return [store, keys];
}

/** Does something with an opened repository; true when it went well. */
async function attempt(
  store: ObjectStore,
  keys: Capabilities,
  act: (repository: Repository) => Promise<void>,
): Promise<boolean> {
  try {
    const repository = await Repository.open(store, { keys });
    try {
      await act(repository);
    } finally {
      await repository.close();
    }
    return true;
  } catch (error) {
    expect(isCairnError(error), String(error)).toBe(true);
    return false;
  }
}

describe.each(['before', 'after'] as const)('a store that fails one call (%s it was done)', (when) => {
  it('has a dump whole or not at all', async () => {
    for (let at = 1; ; at++) {
      const [store, keys] = await emptyStore();
      const faulty = new FaultyStore(store, [{ at, when }]);
      const good = await attempt(faulty, keys, dump);
      if (faulty.operations < at) {
        expect([good, at > 5]).toEqual([true, true]);
        break;
      }
      const after = await Repository.open(store, { keys });
      expect((await after.check({ threads: 0 })).findings.filter(({ severity }) => severity === 'error')).toEqual([]);
      expect(after.archives().length <= 1).toBe(true);
      if (after.archives().length === 1) await restore(after);
      await after.close();
    }
  });

  it('never lets half a dump pass for a whole one', async () => {
    const [store, keys] = await emptyStore();
    expect(await attempt(store, keys, dump)).toBe(true);
    for (let at = 1; ; at++) {
      const faulty = new FaultyStore(store, [{ at, when }]);
      const good = await attempt(faulty, keys, restore);
      if (faulty.operations < at) {
        expect([good, at > 5]).toEqual([true, true]);
        break;
      }
    }
  });
});
