import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';

import { adviseReading, dropCached } from './at-calls.ts';

/** As large as a pack, and more than any device reads ahead. */
const BYTES = 20 * 1024 * 1024;
const TRIES = 50;

/** Bytes of the file that are in memory. */
function residentBytes(path: string): number {
  return Number(execFileSync('fincore', ['--bytes', '--noheadings', '--output', 'RES', path], { encoding: 'utf8' }));
}

it('has the kernel bring all of a file, however long', async ({ skip }) => {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-advise-'));
  const path = join(directory, 'pack');
  writeFileSync(path, Buffer.alloc(BYTES, 1));
  const fd = openSync(path, 'r+');
  try {
    dropCached(fd);
    skip(residentBytes(path) > 0, 'this file system has no disk');
    adviseReading(fd, 0, BYTES);
    for (let tries = 0; tries < TRIES && residentBytes(path) < BYTES; tries += 1) await setTimeout(100);
    expect(residentBytes(path)).toBe(BYTES);
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  }
});
