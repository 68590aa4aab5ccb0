import {
  addressBelow,
  CairnError,
  DirectoryStore,
  ERROR_TABLE,
  openStoreAt,
  parseAddress,
  selfTest,
  systemEnvironment,
  type ObjectStore,
  type StoreAddress,
  type StoreMemory,
} from '@cairn/core';
import { access, constants, mkdtemp, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import type { Context } from '../context.ts';
import { storeOptionsOf } from '../store-options.ts';
import { JsonArray } from '../output/json-array.ts';
import { formatTable } from '../output/table.ts';
import { throwIfStopped } from '../signals.ts';
import type { Verb } from '../verb.ts';

interface DoctorOptions {
  readonly store?: string;
}

interface Finding {
  readonly name: string;
  readonly state: 'good' | 'slow' | 'failed';
  readonly detail: string;
}

export const doctor: Verb = {
  define(command) {
    command
      .description(
        'Test whether this machine can do what a backup needs. With --store, test instead whether a ' +
          'directory or another place keeps what a store promises: it works in a new part of its own there, and ' +
          'removes it. Exits with 60 when a test fails.',
      )
      .option('--store <address>', 'test the file system of this directory, or the service at this address')
      .addHelpText('after', '\nExample:\n  cairn doctor --store /backup');
  },

  async run(context, { options }) {
    const { store } = options as DoctorOptions;
    const findings = store === undefined ? await testMachine(context) : await testStore(context, parseAddress(store));
    if (context.json) {
      const array = new JsonArray(context.output);
      for (const { name, state, detail } of findings) await array.add({ name, state, detail });
      await array.end();
    } else {
      const rows = findings.map(({ name, state, detail }) => [state, name, detail]);
      for (const line of formatTable(rows)) await context.output.line(line);
    }
    return findings.some(({ state }) => state === 'failed') ? ERROR_TABLE.HOST_UNSUPPORTED.exit : 0;
  },
};

async function testMachine({ settings }: Context): Promise<readonly Finding[]> {
  const findings: Finding[] = [
    { name: 'Node.js', state: 'good', detail: process.versions.node },
    ...(await selfTest()),
  ];
  for (const name of ['state-directory', 'cache-directory'] as const) {
    findings.push(await testWritable(name.replace('-', ' '), settings.text(name) ?? ''));
  }
  return findings;
}

/** Whether a directory can be written to, or be made. */
async function testWritable(name: string, directory: string): Promise<Finding> {
  let existing = directory;
  while (!(await exists(existing)) && existing !== dirname(existing)) existing = dirname(existing);
  try {
    await access(existing, constants.W_OK | constants.X_OK);
    return { name, state: 'good', detail: directory };
  } catch (error) {
    return { name, state: 'failed', detail: `${directory}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    // Whatever the reason: what cannot be looked at cannot be used either, and its parent tells more.
    return false;
  }
}

/** Runs the suite that every kind of store must pass, in a part of the store that is made for it and removed. */
async function testStore(context: Context, address: StoreAddress): Promise<readonly Finding[]> {
  if (address.kind !== 'directory') {
    const name = `cairn-doctor-${Buffer.from(systemEnvironment.random.bytes(8)).toString('hex')}`;
    const options = { ...storeOptionsOf(context), storeMemory: forThisRun() };
    return await runSuite(context, () => openStoreAt(addressBelow(address, name), options));
  }
  const scratch = await makeScratch(resolve(address.path));
  try {
    const path = join(scratch, 'store');
    await DirectoryStore.create(path);
    return await runSuite(context, () => DirectoryStore.open(path));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function runSuite({ messages, signal }: Context, make: () => Promise<ObjectStore>): Promise<readonly Finding[]> {
  const { objectStoreSuite } = await import('@cairn/core/testing');
  const findings: Finding[] = [];
  try {
    for (const test of objectStoreSuite({ environment: systemEnvironment, throwaway: true })) {
      throwIfStopped(signal);
      messages.showProgress(test.name);
      try {
        await test.run(make);
        findings.push({ name: test.name, state: 'good', detail: '' });
      } catch (error) {
        findings.push({
          name: test.name,
          state: 'failed',
          detail: error instanceof Error ? error.message : String(error),
        });
      }
    }
  } finally {
    messages.showProgress('');
  }
  return findings;
}

/** What is found out about a store serves all cases, and nobody after them. */
function forThisRun(): StoreMemory {
  const proved = new Set<string>();
  return {
    isProved: async (address) => proved.has(address),
    setProved: async (address) => void proved.add(address),
  };
}

async function makeScratch(directory: string): Promise<string> {
  try {
    return await mkdtemp(join(directory, 'cairn-doctor-'));
  } catch (cause) {
    throw new CairnError('USAGE', `cannot make a directory in ${directory}`, {
      hint: 'Check that it exists and that this account may write there.',
      cause,
    });
  }
}
