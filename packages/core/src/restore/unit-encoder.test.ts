import { describe, expect, it } from 'vitest';

import type { SessionPublic } from '../crypto/chunk-crypto.ts';
import type { ChunkTask } from './chunk-task.ts';
import { TargetDirectory } from './target-directory.ts';
import { divideTasks, encodeUnit } from './unit-encoder.ts';
import { Window } from './window.ts';
import { CHUNK_FIELDS, FILE_FIELDS } from './work-unit.ts';

const SESSION: SessionPublic = { sid: Buffer.alloc(16, 1), epk: Buffer.alloc(32, 2) };

function directories(count: number): TargetDirectory[] {
  return Array.from({ length: count }, (_, i) => new TargetDirectory(undefined, `d${i}`, `/d${i}`, i, undefined));
}

/** Files of one chunk each: in which directory, and how long its plaintext is. */
function tasksFor(files: readonly (readonly [TargetDirectory, number])[], bytes?: Uint8Array): ChunkTask[] {
  const window = new Window();
  for (const [i, [directory, length]] of files.entries()) {
    const id = Buffer.alloc(32, i);
    const site = { directory, path: directory.path };
    window.addSmallFile(site, Buffer.from(`entry ${i}`), undefined, length, { id, length });
  }
  return window.uses.map((use, i) => ({ uses: [use], session: SESSION, bytes: bytes?.subarray(i * 10, i * 10 + 10) }));
}

const options = { opened: false, whole: undefined, directoryFd: () => 5, fileFd: () => 6 };

describe('divideTasks', () => {
  it('keeps all tasks, in the order of their directories, within bounds', () => {
    const all = directories(200);
    const files = Array.from({ length: 3000 }, (_, i) => [all[(i * 7) % 200] as TargetDirectory, 10] as const);
    const units = divideTasks(tasksFor(files));
    const orders = units.flat().map(({ uses }) => uses[0]?.order ?? -1);
    expect(orders).toHaveLength(3000);
    expect(orders).toEqual([...orders].sort((a, b) => a - b));
    for (const unit of units) {
      expect(unit.length).toBeLessThanOrEqual(256);
      expect(new Set(unit.map(({ uses }) => uses[0]?.file?.site.directory)).size).toBeLessThanOrEqual(80);
    }
  });

  it('bounds the plaintext, whatever it compresses to', () => {
    const [directory] = directories(1) as [TargetDirectory];
    const units = divideTasks(tasksFor(Array.from({ length: 9 }, () => [directory, 5 * 1024 * 1024])));
    expect(units.map((unit) => unit.length)).toEqual([3, 3, 3]);
  });

  it('spreads a chunk that many files share', () => {
    const [directory] = directories(1) as [TargetDirectory];
    const uses = tasksFor(Array.from({ length: 1000 }, () => [directory, 10])).flatMap((task) => task.uses);
    const units = divideTasks([{ uses, session: SESSION, bytes: undefined }]);
    expect(units.flat().flatMap((task) => task.uses)).toHaveLength(1000);
    expect(units.length).toBeGreaterThan(3);
  });
});

describe('encodeUnit', () => {
  it('copies the bytes of each task', () => {
    const [directory] = directories(1) as [TargetDirectory];
    const bytes = Buffer.from('0123456789abcdefghij');
    const { unit, files } = encodeUnit(
      tasksFor(
        [
          [directory, 7],
          [directory, 8],
        ],
        bytes,
      ),
      options,
    );
    expect(Buffer.from(unit.bytes).toString()).toBe('0123456789abcdefghij');
    expect(unit.bytes.buffer).not.toBe(bytes.buffer);
    expect([...unit.chunks]).toEqual([0, 10, 7, 0, 1, 0, 10, 10, 8, 0, 1, 0]);
    expect(unit.sessions).toEqual([SESSION]);
    expect(Buffer.from(unit.entries).toString()).toBe('entry 0entry 1');
    expect([...unit.files]).toEqual([5, 0, 7, 0, 5, 7, 7, 0]);
    expect(files).toHaveLength(unit.files.length / FILE_FIELDS);
    expect(unit.ids).toHaveLength((32 * unit.chunks.length) / CHUNK_FIELDS);
  });

  it('passes memory on that belongs to nobody else', () => {
    const [directory] = directories(1) as [TargetDirectory];
    const whole = new Uint8Array(20);
    const tasks = tasksFor(
      [
        [directory, 7],
        [directory, 8],
      ],
      whole,
    );
    expect(encodeUnit(tasks, { ...options, whole }).unit.bytes).toBe(whole);
    const shared = new Uint8Array(40).subarray(20);
    const copied = encodeUnit(tasksFor([[directory, 7]], shared), { ...options, whole: shared }).unit.bytes;
    expect(copied.buffer).not.toBe(shared.buffer);
  });
});
