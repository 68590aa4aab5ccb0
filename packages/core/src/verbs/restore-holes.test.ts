import { existsSync, readFileSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import type { RestoreReport } from '../restore/options.ts';
import type { ArchiveRecord } from '../log/state.ts';
import { fileNode } from '../testing/archive-builder.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { RestoreScratch } from '../testing/restore-scratch.ts';
import { ArchiveView } from '../tree/archive-view.ts';

const KiB = 1024;

let scratch: RestoreScratch;
beforeEach(async () => {
  scratch = await RestoreScratch.create();
});
afterEach(() => scratch[Symbol.dispose]());

const pieces = (count: number, bytes: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => pseudoRandomBytes(`piece ${i}`, bytes));

/** Loses packs, by their numbers among those that hold a piece of the large file each. */
function losePacks(...numbers: readonly number[]): void {
  const packs = scratch.dataPacks().filter((label) => (scratch.objects.get(label)?.body.length ?? 0) > 40 * KiB);
  for (const number of numbers) scratch.objects.delete(packs[number] as string);
}

const ranges = ({ badRanges }: RestoreReport): (readonly [string, number, number])[] =>
  badRanges.map(({ path, offset, length }) => [path, offset, length] as const);

/** What the file must be, by what the report says is bad. */
function withZeros(content: Buffer, report: RestoreReport): Buffer {
  const expected = Buffer.from(content);
  for (const { offset, length } of report.badRanges) expected.fill(0, offset, offset + length);
  return expected;
}

describe('a file of which a part is lost', () => {
  const parts = pieces(8, 40 * KiB);
  const content = Buffer.concat(parts);
  let archive: ArchiveRecord;
  beforeEach(async () => {
    archive = await scratch.builder.commit([fileNode('large', parts), fileNode('other', 'fine')], { packBytes: 1 });
  });

  it('is left out, and each bad range is told', async () => {
    losePacks(2, 5);
    const report = await scratch.restore(archive);
    expect(existsSync(scratch.path('large'))).toBe(false);
    expect(report).toMatchObject({ files: 1, problemCounts: { damaged: 1 }, badBytes: 80 * KiB });
    expect(report.badRanges.map(({ length }) => length).reduce((a, b) => a + b)).toBe(80 * KiB);
    for (const { path, offset } of report.badRanges) expect([path, offset % (40 * KiB)]).toEqual(['/large', 0]);
  });

  it.each([0, 2])(
    'is made with zeros in its place when asked for, and told all the same (%d threads)',
    async (threads) => {
      losePacks(0, 3, 7);
      const report = await scratch.restore(archive, { withHoles: true, threads });
      expect(report).toMatchObject({ files: 2, problemCounts: { damaged: 1 }, badBytes: 120 * KiB });
      const made = readFileSync(scratch.path('large'));
      expect(made.equals(withZeros(content, report))).toBe(true);
      expect(made.equals(content)).toBe(false);
    },
  );

  it('is as long as it was when its end is lost', async () => {
    for (const label of scratch.dataPacks()) scratch.objects.delete(label);
    const report = await scratch.restore(archive, { withHoles: true });
    expect(statSync(scratch.path('large')).size).toBe(content.length);
    expect(ranges(report).toSorted()).toEqual([
      ['/large', 0, content.length],
      ['/other', 0, 4],
    ]);
    expect(readFileSync(scratch.path('other')).equals(Buffer.alloc(4))).toBe(true);
  });

  it('replaces nothing that is there', async () => {
    for (const options of [{ inPlace: {} }, { verify: true }]) {
      await expect(scratch.restore(archive, { withHoles: true, ...options })).rejects.toSatisfy((error) =>
        isCairnError(error, 'USAGE'),
      );
    }
  });
});

describe('a file whose list of chunks is lost', () => {
  it('has that range bad, and the rest restored', async () => {
    // More than 64 chunks: an entry refers to lists then.
    const parts = pieces(300, 2 * KiB);
    const archive = await scratch.builder.commit([fileNode('listed', parts), fileNode('other', 'fine')]);
    const access = await scratch.builder.access();
    const view = new ArchiveView(await access.chunkReader(), archive);
    const { content } = await view.entry('listed');
    expect(content?.level).toBe(1);
    const index = await access.index();
    const place = index.find(content?.records.subarray(0, 32) ?? new Uint8Array(32));
    const length = Number(content?.records.readBigUInt64LE(32));
    scratch.alter(`packs/${index.packs[place?.pack ?? 0]?.name}`, (body) => {
      const at = (place?.offset ?? 0) + 100;
      body[at] = (body[at] as number) ^ 1;
      return body;
    });
    const report = await scratch.restore(archive, { withHoles: true });
    expect(ranges(report)).toEqual([['/listed', 0, length]]);
    expect(readFileSync(scratch.path('listed')).equals(withZeros(Buffer.concat(parts), report))).toBe(true);
    expect(report).toMatchObject({ files: 2, problemCounts: { damaged: 1 }, badBytes: length });
  });
});
