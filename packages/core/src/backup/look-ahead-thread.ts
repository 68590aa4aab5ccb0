import { constants } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';

import { receiveMessages } from '../flow/threads.ts';
import { AT_FDCWD, closeFd, namesOfFd, statAt } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import type { LookAheadMessage, LookAheadSetup } from './look-ahead.ts';
import { openSource } from './open-source.ts';

/** Names between two looks for messages. */
const NAMES_A_TURN = 200;

const passed = new Int32Array((workerData as LookAheadSetup).passed);
const announced: ByteString[] = [];
/** Number of the next directory, and of the first one in `announced`, counted from the first that was ever announced. */
let next = 0;
let first = 0;
let busy = false;

receiveMessages((paths: LookAheadMessage) => {
  announced.push(...paths);
  if (!busy) void lookAtAll();
});

async function lookAtAll(): Promise<void> {
  busy = true;
  for (let names = 0; ;) {
    next = Math.max(next, Atomics.load(passed, 0));
    const path = announced[next - first];
    if (path === undefined) break;
    next += 1;
    names += look(path);
    if (names < NAMES_A_TURN) continue;
    names = 0;
    announced.splice(0, next - first);
    first = next;
    await nextTurn();
  }
  busy = false;
}

/** Asks for the status of each name in a directory; returns how many calls that took. What goes wrong here, the walk reports. */
function look(path: ByteString): number {
  let fd: number | undefined;
  try {
    fd = openSource(AT_FDCWD, path, constants.O_DIRECTORY);
    const names = namesOfFd(fd);
    for (const name of names) statAt(fd, name);
    return names.length + 1;
  } catch {
    return 1;
  } finally {
    if (fd !== undefined) closeFd(fd);
  }
}
