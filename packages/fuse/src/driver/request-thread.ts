import { readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

import type { FromRequestThread, RequestThreadData } from './messages.ts';
import { plainAnswer } from './plain-answer.ts';
import { PlainNodes } from './plain-nodes.ts';

/**
 * Entry point of a worker thread that waits in the kernel for requests, one after the other, and hands them over, but for those
 * that it can answer itself. It ends when the mount is gone.
 */
const { device, bufferBytes, plainNodes } = workerData as RequestThreadData;
const buffer = Buffer.alloc(bufferBytes);
const plain = new PlainNodes(plainNodes);

function post(message: FromRequestThread, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

function run(): FromRequestThread {
  for (;;) {
    try {
      const length = readSync(device, buffer);
      const answer = plainAnswer(buffer.subarray(0, length), plain);
      if (answer === undefined) {
        const request = new Uint8Array(buffer.subarray(0, length));
        post({ request }, [request.buffer]);
      } else writeSync(device, answer);
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
