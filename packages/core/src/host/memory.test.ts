import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { makeRelease, minorCollector, returnFreedBlocks } from './memory.ts';

describe('makeRelease', () => {
  it('frees at once, however much is released before the thread rests', async () => {
    const release = await makeRelease();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 64; i++) {
      const bytes = new Uint8Array(16 * 1024 * 1024);
      release(bytes);
      expect(bytes).toHaveLength(0);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('leaves memory alone that others have a part of', async () => {
    const release = await makeRelease();
    const whole = new Uint8Array(100).fill(7);
    release(whole.subarray(0, 50));
    expect(whole).toEqual(new Uint8Array(100).fill(7));
    release(new Uint8Array(new SharedArrayBuffer(8)));
  });
});

describe('minorCollector', () => {
  it('frees the memory of garbage', { retry: 2 }, () => {
    const collect = minorCollector();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 64; i++) {
      new Uint8Array(4 * 1024 * 1024).fill(i);
      collect();
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });
});

// What else the runner allocates meanwhile is in the same figure.
it('returnFreedBlocks lets a freed block leave the process, whatever was freed before', { retry: 5 }, async () => {
  returnFreedBlocks();
  const release = await makeRelease();
  const resident = () => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024;
  for (let i = 0; i < 4; i++) release(new Uint8Array(24 * 1024 * 1024).fill(1));
  const before = resident();
  const block = new Uint8Array(24 * 1024 * 1024).fill(1);
  expect(resident() - before).toBeGreaterThan(20);
  release(block);
  expect(resident() - before).toBeLessThan(4);
});
