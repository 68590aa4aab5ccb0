import { nodeSuite } from '../crypto/node-suite.ts';
import { invariant, isCairnError } from '../errors.ts';
import { receiveMessages, threadPort } from '../flow/threads.ts';
import { makeRelease, minorCollector } from '../host/memory.ts';
import { systemUsers } from '../host/users.ts';
import { loadZstd } from '../zstd/load.ts';
import type { FromRestoreWorker, ToRestoreWorker } from './lanes.ts';
import { UnitRunner } from './unit-runner.ts';

/** Entry point of a worker thread: one runner, units one after the other. */
const port = threadPort();

const zstd = await loadZstd();
const release = await makeRelease();
let runner: UnitRunner | undefined;

function send(message: FromRestoreWorker): void {
  port.postMessage(message);
}

/** Errors lose their class on the way between threads, so their parts are sent. */
function errorMessage(id: number, error: unknown): FromRestoreWorker {
  if (isCairnError(error)) return { id, code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { id, code: 'INTERNAL', message, hint: undefined };
}

function handle(message: ToRestoreWorker): void {
  if ('setup' in message) {
    runner = new UnitRunner(message.setup, nodeSuite, zstd, systemUsers(), minorCollector());
    return;
  }
  const { id, unit } = message;
  try {
    invariant(runner !== undefined, 'the setup comes first');
    const result = runner.run(unit);
    release(unit.bytes);
    send({ id, result });
  } catch (error) {
    send(errorMessage(id, error));
  }
}

receiveMessages(handle);
