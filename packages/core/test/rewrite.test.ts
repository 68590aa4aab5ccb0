import { cpSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  DirectoryStore,
  fromUtf8,
  isCairnError,
  type ArchiveRecord,
  type ObjectStore,
  type Repository,
  type RewriteRequest,
} from '../dist/index.js';
import { compareTrees } from '../dist/testing/compare-trees.js';
import { FaultyStore } from '../dist/testing/faulty-store.js';
import { pseudoRandomBytes } from '../dist/testing/pseudo-random.js';
import { HookedStore } from './support/hooked-store.js';
import { BackupScratch, contentIds, SMALL_CHUNKS } from './support/scratch.js';

const coded = (code: string): unknown => expect.toSatisfy((error) => isCairnError(error) && error.code === code);

let scratch: BackupScratch;
let originals: ArchiveRecord[];

beforeEach(async () => {
  scratch = await BackupScratch.create(SMALL_CHUNKS);
  mkdirSync(scratch.in('keep', 'deep'), { recursive: true });
  mkdirSync(scratch.in('mixed', 'secret', 'below'), { recursive: true });
  mkdirSync(scratch.in('wide'));
  for (let i = 0; i < 150; i++) writeFileSync(scratch.in('wide', `file-${i}`), `wide ${i}`);
  writeFileSync(scratch.in('keep', 'deep', 'large'), pseudoRandomBytes('large', 300_000));
  writeFileSync(scratch.in('mixed', 'public'), 'public');
  writeFileSync(scratch.in('mixed', 'secret', 'one'), pseudoRandomBytes('one', 5000));
  writeFileSync(scratch.in('mixed', 'secret', 'below', 'two'), 'two');
  symlinkSync('one', scratch.in('mixed', 'secret', 'link'));
  originals = [];
  for (let i = 0; i < 2; i++) {
    writeFileSync(scratch.in('mixed', 'public'), `public ${i}`);
    const repository = await scratch.open();
    const report = await repository.backup({ paths: [scratch.source], series: 'web', tags: ['daily'], threads: 0 });
    // Both were made within one second, and names go by that.
    originals.push(await repository.rename(report.archive, ['one', 'two'][i] ?? ''));
  }
});
afterEach(() => scratch[Symbol.dispose]());

const original = (i: number): ArchiveRecord => originals[i] as ArchiveRecord;
const request = (more: Partial<RewriteRequest> = {}): RewriteRequest => ({
  archives: originals.map(({ id }) => id),
  exclude: [scratch.in('mixed', 'secret')],
  ...more,
});

async function expectSound(repository: Repository): Promise<void> {
  const { findings } = await repository.check({ data: true, threads: 0 });
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
}

/** What an archive holds is the source without what was left out. */
async function expectWithout(repository: Repository, archive: ArchiveRecord): Promise<void> {
  const { restored } = await scratch.restore(repository, archive);
  const expected = scratch.path('expected');
  cpSync(scratch.source, expected, { recursive: true, preserveTimestamps: true });
  rmSync(`${expected}/mixed/secret`, { recursive: true });
  writeFileSync(
    `${expected}/mixed/public`,
    `public ${originals.findIndex(({ name }) => archive.name.startsWith(name))}`,
  );
  const differences = compareTrees(fromUtf8(expected), fromUtf8(restored));
  // A copy of the source has times of its own where something was left out or written.
  expect(differences.filter((text) => !/mtime|times/.test(text))).toEqual([]);
  rmSync(expected, { recursive: true });
}

describe('rewrite', () => {
  it('tells what would be left out, and changes nothing', async () => {
    const repository = await scratch.open();
    const { seq } = repository.access.log;
    const steps: (readonly [number, number])[] = [];
    const onProgress = (done: number, total: number): void => void steps.push([done, total]);
    const would = await repository.rewrite(request({ dryRun: true, onProgress }));
    expect(steps).toEqual(originals.map((_, i) => [i, originals.length]));
    expect(would.map(({ archive, removed }) => [archive, removed])).toEqual(
      originals.map(() => [undefined, { files: 2, directories: 2, others: 1, bytes: 5003 }]),
    );
    expect((await scratch.open()).access.log.seq).toBe(seq);
  });

  it('makes archives without the path; everything else of them is as it was', async () => {
    const repository = await scratch.open();
    const done = await repository.rewrite(request());
    expect(done.map(({ original: { id, state } }) => [id, state])).toEqual(originals.map(({ id }) => [id, 'live']));
    for (const [i, { archive }] of done.entries()) {
      const made = archive as ArchiveRecord;
      const { descriptor } = original(i);
      expect(made.name).toBe(`${original(i).name}.2`);
      expect(made.descriptor).toMatchObject({
        series: 'web',
        startNs: descriptor.startNs,
        endNs: descriptor.endNs,
        host: descriptor.host,
        tags: ['daily'],
        complete: true,
        program: 'cairn (rewritten)',
      });
      expect(Buffer.from(made.descriptor.parent ?? []).toString('hex')).toBe(original(i).id);
      const { files, directories, others, bytes } = descriptor.stats;
      expect(made.descriptor.stats).toMatchObject({
        files: files - 2,
        directories: directories - 2,
        others: others - 1,
        bytes: bytes - 5003,
      });
      await expectWithout(repository, made);
      // Taken over, not written again.
      for (const path of ['keep', 'wide']) {
        const before = await contentIds(repository, original(i), scratch.in(path));
        expect(await contentIds(repository, made, scratch.in(path))).toBe(before);
      }
    }
    await expectSound(await scratch.open());
    const origins: (string | undefined)[] = [];
    for await (const { origin } of repository.history({ kinds: ['COMMIT'] })) origins.push(origin);
    expect(origins).toEqual([undefined, undefined, original(0).id, original(1).id]);
  });

  it('leaves alone an archive that has nothing of it', async () => {
    const repository = await scratch.open();
    const { seq } = repository.access.log;
    expect(await repository.rewrite(request({ exclude: ['nothing of that name'] }))).toEqual([]);
    expect(repository.access.log.seq).toBe(seq);
  });

  it('takes out entries of a directory of many chunks, by pattern', async () => {
    const repository = await scratch.open();
    const [one] = await repository.rewrite(request({ archives: [original(0).id], exclude: ['wide/file-1*'] }));
    // file-1, file-10 … file-19, file-100 … file-149
    expect(one?.removed.files).toBe(61);
    const view = await repository.view(one?.archive as ArchiveRecord);
    const names: string[] = [];
    for await (const { name } of view.entries(scratch.in('wide'))) names.push(name);
    expect(names).toHaveLength(89);
    expect(names.some((name) => name.startsWith('file-1'))).toBe(false);
    await expectSound(await scratch.open());
  });

  it('deletes the originals only when asked, and that can be undone', async () => {
    const repository = await scratch.open();
    const done = await repository.rewrite(request({ deleteOriginals: true, reason: 'ada' }));
    expect(done.map((one) => one.original.state)).toEqual(['deleted', 'deleted']);
    expect(repository.archives().map(({ id }) => id)).toEqual(done.map(({ archive }) => archive?.id));
    await repository.undelete(await repository.planUndelete(originals));
    expect(repository.archives()).toHaveLength(4);
    expect(await scratch.differences(repository, { archive: original(1) } as never)).toEqual([]);
  });

  it('puts a new archive in the place of its original: in order, and for retention once that is deleted', async () => {
    const repository = await scratch.open();
    const received = repository.archives().map(({ receivedMs }) => receivedMs);
    await repository.rewrite(request({ archives: [original(0).id] }));
    expect(repository.archives().map(({ descriptor }) => descriptor.startNs)).toEqual(
      [original(0), original(0), original(1)].map(({ descriptor }) => descriptor.startNs),
    );
    expect(repository.archive('web@latest').id).toBe(original(1).id);
    const copy = repository.archives()[1] as ArchiveRecord;
    expect(copy.receivedMs).toBeGreaterThan(received[1] ?? 0);
    await repository.delete(await repository.planDelete([original(0)]));
    const after = await scratch.open();
    expect(after.archives().map(({ receivedMs }) => receivedMs)).toEqual(received);
    await after.undelete(await after.planUndelete([original(0)]));
    expect(after.archive(copy.id).receivedMs).toBeGreaterThan(received[1] ?? 0);
  });

  it('changes nothing for retention: the next prune keeps what it would have kept', async () => {
    const day = 86_400;
    const now = Math.floor(Date.now() / 1000);
    // A directory store tells when it received an entry by the time of its file. Slots 1 and 3 are the COMMITs.
    for (const [slot, ago] of [
      [1, 30 * day],
      [3, 10 * day],
    ] as const) {
      utimesSync(`${scratch.storePath}/log/${slot.toString(16).padStart(16, '0')}`, now - ago, now - ago);
    }
    const times = async (): Promise<unknown> => {
      const { series } = await (await scratch.open()).planPrune({ policy: { daily: 7 } });
      return series.map(({ verdicts }) => verdicts.map(({ timeMs, reasons }) => [timeMs, reasons.length > 0]));
    };
    const before = await times();
    expect(before).toEqual([
      [
        [(now - 10 * day) * 1000, true],
        [(now - 30 * day) * 1000, true],
      ],
    ]);
    await (await scratch.open()).rewrite(request({ deleteOriginals: true }));
    expect(await times()).toEqual(before);
  });

  it('refuses protected originals that are to be deleted, and keys that lack a right', async () => {
    const repository = await scratch.open();
    await repository.protect([original(1)]);
    const { seq } = repository.access.log;
    await expect(repository.rewrite(request({ deleteOriginals: true }))).rejects.toThrow(coded('ARCHIVE_PROTECTED'));
    expect(repository.access.log.seq).toBe(seq);
    for (const rights of ['read', 'maintain', 'write'] as const) {
      const other = await scratch.open({ rights });
      await expect(other.rewrite(request()), rights).rejects.toThrow(coded('RIGHT_MISSING'));
    }
    // To look takes no right to write.
    expect(await (await scratch.open({ rights: 'maintain' })).rewrite(request({ dryRun: true }))).toHaveLength(2);
    await expect(repository.rewrite(request({ exclude: ['a[', 're:('] }))).rejects.toThrow(coded('USAGE'));
  });

  it('by two clients at once makes each new archive whole', async () => {
    const [one, two] = [await scratch.open(), await scratch.open()];
    const both = await Promise.all([
      one.rewrite(request({ deleteOriginals: true })),
      two.rewrite(request({ deleteOriginals: true })),
    ]);
    const repository = await scratch.open();
    expect(originals.map(({ id }) => repository.access.log.state.archives.get(id)?.state)).toEqual([
      'deleted',
      'deleted',
    ]);
    const made = both.flat().flatMap(({ archive }) => (archive === undefined ? [] : [archive]));
    expect(made.length).toBeGreaterThanOrEqual(2);
    for (const archive of made) await expectWithout(repository, archive);
    await expectSound(repository);
  });

  it('makes none of an archive that is deleted meanwhile', async () => {
    let done = false;
    const store: ObjectStore = new HookedStore(await DirectoryStore.open(scratch.storePath), {
      async beforePut({ kind }) {
        if (kind !== 'index' || done) return;
        done = true;
        const other = await scratch.open();
        await other.delete(await other.planDelete([original(0)]));
      },
    });
    const results = await (await scratch.open({ store })).rewrite(request());
    expect(results.map(({ archive }) => archive === undefined)).toEqual([true, false]);
  });
});

describe('rewrite on a store that fails one call', () => {
  it.each(['before', 'after'] as const)('(%s it was done) hurts nothing', { timeout: 120_000 }, async (when) => {
    cpSync(scratch.storePath, scratch.path('base'), { recursive: true, preserveTimestamps: true });
    for (let at = 1; ; at++) {
      rmSync(scratch.storePath, { recursive: true });
      cpSync(scratch.path('base'), scratch.storePath, { recursive: true, preserveTimestamps: true });
      const store = new FaultyStore(await DirectoryStore.open(scratch.storePath), [{ at, when }]);
      const outcome = await scratch
        .open({ store })
        .then((repository) => repository.rewrite(request({ archives: [original(0).id], deleteOriginals: true })))
        .then(() => 'done')
        .catch((error: unknown) => (isCairnError(error) ? error.code : String(error)));
      expect(['done', 'STORE_FAILED']).toContain(outcome);
      const repository = await scratch.open();
      await expectSound(repository);
      const copies = repository.archives().filter(({ id }) => originals.every((archive) => archive.id !== id));
      const state = repository.access.log.state.archives.get(original(0).id)?.state;
      // The original is deleted only when the new archive is there.
      if (state === 'deleted') expect(copies).toHaveLength(1);
      for (const copy of copies) await expectWithout(repository, copy);
      if (outcome === 'done' && store.operations < at) {
        expect([copies.length, state]).toEqual([1, 'deleted']);
        break;
      }
    }
  });
});
