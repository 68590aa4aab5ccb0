import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';

/** The files that this process holds open; pipes, sockets and the like come and go with the test runner. */
export function heldDescriptors(): string[] {
  const files: string[] = [];
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      files.push(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // The descriptor of the listing itself is gone by now.
      continue;
    }
  }
  return files.filter((file) => file.startsWith('/')).sort();
}

const PATIENCE_MS = 3_000;

/** That no file is held open beside those of `before`; reads that were under way may end a moment later. */
export async function expectNoneHeld(before: readonly string[]): Promise<void> {
  const until = performance.now() + PATIENCE_MS;
  while (heldDescriptors().join() !== before.join() && performance.now() < until) await sleep(10);
  expect(heldDescriptors()).toEqual(before);
}
