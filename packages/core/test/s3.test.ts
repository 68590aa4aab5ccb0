import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import {
  DirectoryStore,
  isCairnError,
  openStore,
  systemEnvironment,
  type ObjectStore,
  type OpenStoreOptions,
} from '../dist/index.js';
import { FaultyStore } from '../dist/testing/faulty-store.js';
import { testObjectStore } from '../dist/testing/object-store-suite.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { BadLine } from './support/bad-line.js';
import { Radosgw } from './support/radosgw.js';
import { BackupScratch } from './support/scratch.js';

const MiB = 1_048_576;
const BUCKET = 'cairn-test';
const START_MS = 150_000;

let radosgw: Radosgw;
let counter = 0;

beforeAll(async () => {
  radosgw = await Radosgw.start();
  await radosgw.makeBucket(BUCKET);
}, START_MS);
afterAll(() => radosgw?.stop());

/** A part of the bucket that nobody used before. */
function freshAddress(endpoint = radosgw.endpoint): string {
  counter += 1;
  return `s3://${BUCKET}/part-${counter}?endpoint=${endpoint}`;
}

async function open(address: string, options: OpenStoreOptions = {}): Promise<ObjectStore> {
  return await openStore(address, { variables: radosgw.variables, retryForMs: 0, ...options });
}

describe('S3Store over a real service', () => {
  testObjectStore(it, () => open(freshAddress()), { environment: systemEnvironment, throwaway: true });

  it('stores an object of the greatest size', async () => {
    const store = await open(freshAddress());
    const body = pseudoRandomBytes('large', 64 * MiB);
    const key = { kind: 'packs', name: createHash('sha256').update(body).digest('hex') } as const;
    await store.put(key, body);
    expect(Buffer.compare(await store.get(key), body)).toBe(0);
  });

  it('has bytes that do not fit their name refused by the service', async () => {
    const store = await open(freshAddress());
    const put = store.put({ kind: 'packs', name: 'ab'.repeat(32) }, Buffer.from('other bytes'));
    await expect(put).rejects.toMatchObject({ code: expect.stringMatching(/^STORE_/) });
  });

  it('says what is wrong with credentials, the bucket and the region', async () => {
    const key = { kind: 'config', name: 'config' } as const;
    const wrongSecret = { ...radosgw.variables, AWS_SECRET_ACCESS_KEY: 'wrong' };
    const denied = await open(freshAddress(), { variables: wrongSecret });
    await expect(denied.get(key)).rejects.toMatchObject({
      code: 'STORE_DENIED',
      message: expect.stringContaining('SignatureDoesNotMatch'),
    });
    const stranger = await open(freshAddress(), { variables: { ...radosgw.variables, AWS_ACCESS_KEY_ID: 'nobody' } });
    await expect(stranger.get(key)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    const elsewhere = await open(`s3://no-such-bucket/x?endpoint=${radosgw.endpoint}`);
    await expect(elsewhere.get(key)).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' });
    for (const store of [denied, stranger, elsewhere]) {
      const error: unknown = await store.get(key).catch((reason: unknown) => reason);
      expect(JSON.stringify(error)).not.toContain(radosgw.secretAccessKey);
    }
  });

  it('tells of a clock that is wrong', async () => {
    const { clock, random } = systemEnvironment;
    const hour = 3_600_000_000_000n;
    const environment = {
      random,
      clock: { nowNs: () => clock.nowNs() - hour, monotonicMs: () => clock.monotonicMs() },
    };
    const store = await open(freshAddress(), { environment });
    const get = store.get({ kind: 'config', name: 'config' });
    await expect(get).rejects.toMatchObject({
      code: 'STORE_DENIED',
      message: expect.stringMatching(/3[56]\d\d s apart/),
    });
  });

  it('remembers that a service was found good', async () => {
    const proved = new Set<string>();
    const storeMemory = {
      isProved: async (address: string) => proved.has(address),
      setProved: async (address: string) => void proved.add(address),
    };
    const address = freshAddress();
    const store = await open(address, { storeMemory });
    await store.put({ kind: 'keys', name: 'cd'.repeat(16) }, Buffer.from('x'));
    expect([...proved]).toEqual([expect.stringContaining(`/${BUCKET}/part-`)]);
  });
});

let scratch: BackupScratch;
beforeEach(async () => {
  scratch = await BackupScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

/** The config of the scratch repository, in a store of its own. */
async function repositoryIn(address: string): Promise<void> {
  const store = await open(address);
  await store.put({ kind: 'config', name: 'config' }, readFileSync(join(scratch.storePath, 'config')));
  await store[Symbol.asyncDispose]();
}

describe('a repository in S3', () => {
  it('is backed up to, checked and restored', async () => {
    const address = freshAddress();
    await repositoryIn(address);
    for (let i = 0; i < 200; i++) writeFileSync(scratch.in(`small-${i}`), pseudoRandomBytes(`small ${i}`, 2_000));
    writeFileSync(scratch.in('large'), pseudoRandomBytes('large', 50 * MiB));
    await using repository = await scratch.open({ store: await open(address) });
    await repository.backup({ paths: [scratch.source], threads: 2 });
    writeFileSync(scratch.in('more'), 'more');
    const report = await repository.backup({ paths: [scratch.source], threads: 2 });
    expect(report.progress.newBytes).toBeLessThan(MiB);
    expect((await repository.check({ threads: 1, data: true })).findings).toEqual([]);
    expect(await scratch.differences(repository, report)).toEqual([]);
  });

  it('takes backups of several clients at once', async () => {
    const address = freshAddress();
    await repositoryIn(address);
    for (let i = 0; i < 20; i++) writeFileSync(scratch.in(`file-${i}`), pseudoRandomBytes(`file ${i}`, 20_000));
    const series = Array.from({ length: 6 }, (_, i) => `client-${i}`);
    const reports = await Promise.all(
      series.map(async (name) => {
        await using repository = await scratch.open({ store: await open(address) });
        return await repository.backup({ paths: [scratch.source], threads: 0, series: name });
      }),
    );
    await using repository = await scratch.open({ store: await open(address) });
    expect(
      repository
        .archives()
        .map(({ descriptor }) => descriptor.series)
        .toSorted(),
    ).toEqual(series);
    for (const report of reports) expect(await scratch.differences(repository, report)).toEqual([]);
    const { findings } = await repository.check({ threads: 0 });
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('survives the failure of any call', async () => {
    const address = freshAddress();
    await repositoryIn(address);
    writeFileSync(scratch.in('file'), pseudoRandomBytes('file', 300_000));
    let failures = 0;
    // An opening makes four calls and more with each entry of the log, a backup about six.
    for (let at = 1; at <= 20; at++) {
      writeFileSync(scratch.in('changing'), pseudoRandomBytes(`round ${at}`, 10_000));
      const store = new FaultyStore(await open(address), [{ at, when: at % 2 === 0 ? 'before' : 'after' }]);
      try {
        await using repository = await scratch.open({ store });
        await repository.backup({ paths: [scratch.source], threads: 0, series: 'faulty' });
      } catch (error) {
        if (!isCairnError(error, 'STORE_FAILED')) throw error;
        failures += 1;
      }
    }
    expect(failures).toBeGreaterThan(8);
    await using repository = await scratch.open({ store: await open(address) });
    const report = await repository.backup({ paths: [scratch.source], threads: 0 });
    expect(await scratch.differences(repository, report)).toEqual([]);
    const { findings } = await repository.check({ threads: 0 });
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('can be copied into a directory, and is the same there', async () => {
    const address = freshAddress();
    await repositoryIn(address);
    writeFileSync(scratch.in('file'), pseudoRandomBytes('file', 300_000));
    const store = await open(address);
    const repository = await scratch.open({ store });
    const report = await repository.backup({ paths: [scratch.source], threads: 0 });
    const copy = await DirectoryStore.open(scratch.storePath);
    for (const kind of ['packs', 'index', 'log'] as const) {
      for await (const key of store.list(kind)) await copy.put(key, await store.get(key));
    }
    expect(await scratch.differences(await scratch.open(), report)).toEqual([]);
  });
});

describe('a repository behind a bad line', () => {
  let line: BadLine;
  let address: string;
  beforeEach(async () => {
    line = await BadLine.start(Number(new URL(radosgw.endpoint).port));
    address = freshAddress(`http://127.0.0.1:${line.port}`);
    await repositoryIn(address);
    for (let i = 0; i < 4; i++) writeFileSync(scratch.in(`large-${i}`), pseudoRandomBytes(`large ${i}`, 12 * MiB));
  });
  afterEach(() => line.stop());

  async function expectSound(): Promise<void> {
    await using repository = await scratch.open({ store: await open(address) });
    const { findings } = await repository.check({ threads: 0, data: true });
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    const archive = repository.archive('latest');
    const { restored, report } = await scratch.restore(repository, archive);
    expect(report.problems).toEqual([]);
    expect(readFileSync(join(restored, 'large-3')).equals(readFileSync(scratch.in('large-3')))).toBe(true);
  }

  it('is backed up to over a long way', async () => {
    line.state.delayMs = 50;
    await using repository = await scratch.open({ store: await open(address) });
    await repository.backup({ paths: [scratch.source], threads: 2 });
    line.state.delayMs = 0;
    await expectSound();
  });

  it('is backed up to although the line is cut in the middle', async () => {
    let retries = 0;
    await using repository = await scratch.open({
      store: await open(address, { retryForMs: 60_000, onRetry: () => (retries += 1) }),
    });
    line.onSent = (bytes) => {
      if (bytes < 20 * MiB) return;
      line.onSent = undefined;
      line.cut();
      setTimeout(() => line.mend(), 1_000);
    };
    await repository.backup({ paths: [scratch.source], threads: 2 });
    expect(retries).toBeGreaterThan(0);
    await expectSound();
  });

  it('is backed up to although connections are reset again and again', async () => {
    line.state.resetAfter = 40 * MiB;
    await using repository = await scratch.open({ store: await open(address, { retryForMs: 60_000 }) });
    await repository.backup({ paths: [scratch.source], threads: 2 });
    line.state.resetAfter = Infinity;
    await expectSound();
  });

  it('goes on from where a backup was when the line came back too late', async () => {
    const first = await scratch.open({ store: await open(address) });
    line.onSent = (bytes) => void (bytes > 30 * MiB && line.cut());
    await expect(first.backup({ paths: [scratch.source], threads: 2 })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
    });
    line.onSent = undefined;
    line.mend();
    // The packs that were stored are listed by nobody: the line was cut for the segment, too. They cost space, nothing else.
    await using second = await scratch.open({ store: await open(address) });
    const report = await second.backup({ paths: [scratch.source], threads: 2 });
    expect(report.archive.descriptor.complete).toBe(true);
    await expectSound();
  });

  it('is left at once when a backup is cancelled while it uploads', async () => {
    line.state.bytesPerS = 2 * MiB;
    const controller = new AbortController();
    await using repository = await scratch.open({ store: await open(address) });
    line.onSent = (bytes) => void (bytes > 2 * MiB && controller.abort());
    const began = performance.now();
    const run = repository.backup({ paths: [scratch.source], threads: 2 }, { signal: controller.signal });
    await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(performance.now() - began).toBeLessThan(30_000);
    line.onSent = undefined;
    line.state.bytesPerS = Infinity;
    await using again = await scratch.open({ store: await open(address) });
    await again.backup({ paths: [scratch.source], threads: 2 });
    await expectSound();
  });

  it('keeps to the bandwidth that it is given', async () => {
    const store = await open(address, { uploadBytesPerS: 8 * MiB });
    await using repository = await scratch.open({ store });
    const began = performance.now();
    await repository.backup({ paths: [scratch.source], threads: 2 });
    // 48 MiB that do not compress.
    expect(performance.now() - began).toBeGreaterThan(5_500);
    await expectSound();
  });
});
