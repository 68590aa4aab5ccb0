import { parentPort } from 'node:worker_threads';

import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { invariant, isCairnError } from '../errors.ts';
import { makeRelease, minorCollector } from '../host/memory.ts';
import { loadZstd } from '../zstd/load.ts';
import type { FromOpener, OpenJob, ToOpener } from './opener-messages.ts';
import { owned } from './owned.ts';

/** Bytes of plaintext after which this thread frees what it made: `makeRelease` and `minorCollector` say why. */
const RELIEF_BYTES = 8 * 1024 * 1024;

/** Entry point of a worker thread: one opener, chunks one after the other. */
invariant(parentPort !== null, 'this module is started as a worker thread');
const port = parentPort;
const zstd = await loadZstd();
const release = await makeRelease();
const relieve = minorCollector();
let opener: ChunkOpener | undefined;
let openedBytes = 0;

function open({ job, type, id, session, sealed }: OpenJob): void {
  try {
    invariant(opener !== undefined, 'the keys come first');
    const plaintext = owned(opener.open(type, id, session, sealed));
    openedBytes += plaintext.length;
    port.postMessage({ job, plaintext } satisfies FromOpener, [plaintext.buffer]);
  } catch (error) {
    port.postMessage(failure(job, error));
  }
  release(sealed);
  if (openedBytes < RELIEF_BYTES) return;
  openedBytes = 0;
  relieve();
}

function failure(job: number, error: unknown): FromOpener {
  if (isCairnError(error)) return { job, code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { job, code: 'INTERNAL', message, hint: undefined };
}

port.on('message', (message: ToOpener) => {
  if ('keys' in message) opener = new ChunkOpener(nodeSuite, zstd, message.keys);
  else open(message);
});
