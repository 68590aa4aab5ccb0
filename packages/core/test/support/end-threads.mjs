// Ends threads in the midst of calls of a native module, at many moments: `node end-threads.mjs ROUNDS`.
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { endThread } from '../../dist/flow/threads.js';

/** Milliseconds that a thread takes to start, and in which all of its work falls. */
const [START_MS, WORK_MS] = [25, 40];

for (let round = 0; round < Number(process.argv[2]); round++) {
  const worker = new Worker(new URL('./binding-thread.mjs', import.meta.url));
  worker.postMessage({});
  await setTimeout(START_MS + (round % WORK_MS));
  await endThread(worker);
}
process.stdout.write('all ended\n');
