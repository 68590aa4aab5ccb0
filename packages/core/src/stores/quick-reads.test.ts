import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { VirtualTime } from '../testing/virtual-time.ts';
import { QuickReads } from './quick-reads.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cairn-quick-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: number): string {
  const path = join(folder, name);
  writeFileSync(path, pseudoRandomBytes(name, bytes));
  return path;
}

describe('QuickReads', () => {
  it('gives a small file, in memory of its own', () => {
    const quick = new QuickReads(new VirtualTime());
    for (const bytes of [0, 1, 400, 65_536]) {
      const read = quick.read(file(`${bytes}`, bytes));
      expect(read?.buffer.byteLength).toBe(bytes);
      expect(Buffer.compare(read ?? Buffer.of(1), pseudoRandomBytes(`${bytes}`, bytes))).toBe(0);
    }
  });

  it('leaves to others what is large, absent, or no file', () => {
    const quick = new QuickReads(new VirtualTime());
    const small = file('small', 10);
    symlinkSync(small, join(folder, 'link'));
    mkdirSync(join(folder, 'directory'));
    const paths = [file('large', 65_537), join(folder, 'absent'), join(folder, 'link'), join(folder, 'directory')];
    for (const path of paths) expect(quick.read(path)).toBeUndefined();
    expect(quick.read(small)).toHaveLength(10);
  });

  it('gives a part of a large file, and nothing beyond its end', () => {
    const quick = new QuickReads(new VirtualTime());
    const large = file('large', 200_000);
    const bytes = pseudoRandomBytes('large', 200_000);
    const part = quick.read(large, { offset: 134_464, length: 65_536 });
    expect(Buffer.compare(part ?? Buffer.of(1), bytes.subarray(134_464))).toBe(0);
    expect(part?.buffer.byteLength).toBe(65_536);
    expect(quick.read(large, { offset: 0, length: 65_537 })).toBeUndefined();
    expect(quick.read(large, { offset: 199_999, length: 2 })).toBeUndefined();
    expect(quick.read(large, { offset: 300_000, length: 0 })).toBeUndefined();
  });

  it('tells what a file is, and leaves to others what is absent', () => {
    const quick = new QuickReads(new VirtualTime());
    symlinkSync(file('small', 10), join(folder, 'link'));
    expect(quick.stat(join(folder, 'small'))).toMatchObject({ size: 10 });
    expect(quick.stat(join(folder, 'link'))?.isFile()).toBe(false);
    expect(quick.stat(join(folder, 'absent'))).toBeUndefined();
    expect(quick.stat(join(folder, 'small', 'below'))).toBeUndefined();
  });

  it('ends itself where reads take long', () => {
    const path = file('small', 10);
    // Each look at the clock takes 3 ms.
    let nowMs = 0;
    const clock = { monotonicMs: () => (nowMs += 3), nowNs: () => 0n };
    const quick = new QuickReads(clock);
    let reads = 0;
    while (quick.read(path) !== undefined) reads += 1;
    expect(reads).toBe(8);
    expect(quick.read(path)).toBeUndefined();
  });
});
