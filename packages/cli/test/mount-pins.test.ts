import { DirectoryStore, nodeSuite, readKeyFile, Repository, systemEnvironment } from '@cairn/core';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';
import { isMounted, Mounted, sh, until } from './support/mounted.ts';

const HOUR_MS = 3_600_000;

let place: Workplace;
let options: readonly string[];
let source: string;

beforeEach(() => {
  place = new Workplace();
  options = ['-r', place.path('repo'), '--key-file', place.path('root.key')];
  source = place.path('source');
  mkdirSync(source);
  for (const name of ['a', 'b']) writeFileSync(`${source}/${name}`, name.repeat(200_000));
  place.good(['init', ...options]);
  place.good(['backup', ...options, source]);
});

afterEach(() => place.remove());

/** The repository as a machine sees it whose clock is `aheadMs` ahead: as this one will, when that time has gone by. */
async function inTime<T>(aheadMs: number, use: (repository: Repository) => Promise<T>): Promise<T> {
  const { keyFile } = await readKeyFile(nodeSuite, place.path('root.key'));
  const { clock, random } = systemEnvironment;
  const later = {
    nowNs: () => clock.nowNs() + BigInt(aheadMs) * 1_000_000n,
    monotonicMs: () => clock.monotonicMs() + aheadMs,
  };
  const store = await DirectoryStore.open(place.path('repo'));
  const repository = await Repository.open(store, {
    keys: keyFile.capabilities,
    environment: { clock: later, random },
  });
  try {
    return await use(repository);
  } finally {
    await repository.close();
  }
}

const compactIn = async (aheadMs: number): Promise<number> =>
  await inTime(aheadMs, async (repository) => {
    const { dropped } = await repository.compact({ graceMs: 0, maxUnused: 0 });
    return dropped.length;
  });

const pins = async (): Promise<string[]> =>
  await inTime(0, (repository) => {
    return Promise.resolve([...repository.access.log.state.pins.values()].map(({ holder }) => holder));
  });

const packs = (): string[] =>
  sh('find', [place.path('repo/packs'), '-type', 'f'])
    .split('\n')
    .slice(0, -1);

describe.runIf(process.geteuid?.() === 0)('the pin of a mount', () => {
  it('that is killed holds its archive until it has ended, and then no longer', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...options, 'latest']);
    mounted.child.kill('SIGKILL');
    await until('the process to be gone', () => mounted.child.signalCode !== null);
    expect(await pins()).toEqual([expect.stringContaining(`mount ${mounted.directory} on `)]);
    place.good(['delete', ...options, 'latest']);
    // It lasts a day, and a margin for clocks that differ.
    for (const hours of [0, 12, 23]) expect([hours, await compactIn(hours * HOUR_MS)]).toEqual([hours, 0]);
    expect(packs().length).toBeGreaterThan(0);
    // Whoever mounts meanwhile what is deleted must bring it back first; nothing was lost.
    place.good(['undelete', ...options, ...archiveIds()]);
    {
      await using again = await Mounted.start(place, 'again', [...options, 'latest']);
      expect(readFileSync(`${again.directory}${source}/a`, 'utf8')).toBe('a'.repeat(200_000));
      again.child.kill('SIGKILL');
      await until('the process to be gone', () => again.child.signalCode !== null);
    }
    place.good(['delete', ...options, 'latest']);
    expect(await compactIn(25 * HOUR_MS)).toBe(1);
    expect(await compactIn(25 * HOUR_MS)).toBe(0);
    expect(packs()).toEqual([]);
  });

  it('ends at once with an orderly unmount, and then compact may free the archive', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...options, 'latest']);
    expect(await pins()).toHaveLength(1);
    place.good(['delete', ...options, 'latest']);
    expect(await compactIn(0)).toBe(0);
    place.good(['umount', mounted.directory]);
    expect([await mounted.exit(), isMounted(mounted.directory)]).toEqual([0, false]);
    expect(await pins()).toEqual([]);
    expect(await compactIn(0)).toBe(1);
    expect(packs()).toEqual([]);
  });

  it('is there for each archive that somebody entered, and only for those, where all are mounted', async () => {
    place.good(['backup', ...options, '--series', 'other', source]);
    await using mounted = await Mounted.start(place, 'mnt', [...options, '--all']);
    expect(await pins()).toEqual([]);
    sh('ls', [`${mounted.directory}/other/latest${source}`]);
    expect(await pins()).toHaveLength(1);
    place.good(['umount', mounted.directory]);
    await mounted.exit();
    expect(await pins()).toEqual([]);
  });
});

describe.runIf(process.geteuid?.() === 0)('a disk that is full', () => {
  it('has no room for a pin, and is read without one, as the error says', async () => {
    const disk = place.path('disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]);
    try {
      execFileSync('cp', ['-a', place.path('repo'), `${disk}/repo`]);
      for (const bytes of [4096, 1]) spawnSync('dd', ['if=/dev/zero', `of=${disk}/fill-${bytes}`, `bs=${bytes}`]);
      const full = ['-r', `${disk}/repo`, '--key-file', place.path('root.key')];
      mkdirSync(place.path('mnt'));
      const { status, stderr } = place.cairn(['mount', ...full, 'latest', place.path('mnt')]);
      expect([status, isMounted(place.path('mnt'))]).toEqual([31, false]);
      expect(stderr).toMatch(/cannot be pinned.*no space left[^]*Mount it with --no-pin/);
      {
        await using all = await Mounted.start(place, 'mnt', [...full, '--all']);
        const ls = spawnSync('ls', [`${all.directory}/${hostname()}/latest/`], { encoding: 'utf8' });
        expect([ls.status, ls.stderr]).toEqual([2, expect.stringContaining('Input/output error')]);
        await until('the line', () => /cannot be pinned, and --no-pin is not given: .*no space left/.test(all.text));
      }
      await using mounted = await Mounted.start(place, 'mnt', [...full, 'latest', '--no-pin']);
      expect(readFileSync(`${mounted.directory}${source}/a`, 'utf8')).toBe('a'.repeat(200_000));
      place.good(['umount', mounted.directory]);
      expect(await mounted.exit()).toBe(0);
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });
});

function archiveIds(): string[] {
  const text = place.good(['list', ...options, '--deleted', '--json']);
  return (JSON.parse(text) as { id: string }[]).map(({ id }) => id);
}
