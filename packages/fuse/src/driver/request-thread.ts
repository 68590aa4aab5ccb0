import { readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

import type { FromRequestThread } from './messages.ts';

/**
 * Entry point of a worker thread that waits in the kernel for requests, one after the other, and hands them over. It ends when
 * the mount is gone.
 */
const { device, bufferBytes } = workerData as { readonly device: number; readonly bufferBytes: number };
const buffer = new Uint8Array(bufferBytes);

function post(message: FromRequestThread, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

function run(): FromRequestThread {
  for (;;) {
    try {
      const length = readSync(device, buffer);
      const request = buffer.slice(0, length);
      post({ request }, [request.buffer]);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // ENOENT: whoever asked was stopped before the question was read (fuse(4)). The others: a signal came.
      if (code === 'ENOENT' || code === 'EINTR' || code === 'EAGAIN') continue;
      if (code === 'ENODEV') return { ended: true };
      return { failed: error instanceof Error ? error.message : String(error) };
    }
  }
}

post(run());
