import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { invariant, isCairnError } from '../errors.ts';
import { receiveMessages, threadPort } from '../flow/threads.ts';
import { makeRelease, minorCollector, returnFreedMemory } from '../host/memory.ts';
import { loadZstd } from '../zstd/load.ts';
import { joined, ownMemory } from './joined.ts';
import type { FromOpener, Opened, OpenJobs, ToOpener } from './opener-messages.ts';
import { PackFiles } from './pack-files.ts';

/**
 * Bytes from which what was only needed on the way to a plaintext is freed one by one. The C library uses that memory again for the next
 * such chunk, without the kernel: pages that were given back cost as much to get again as their decryption.
 */
const LARGE_BYTES = 128 * 1024;
/** Bytes of smaller plaintexts after which this thread frees what it made: `makeRelease` and `minorCollector` say why. */
const RELIEF_BYTES = 2 * 1024 * 1024;
/** How often that is done before the memory is given back to the system: the next chunks need it again. */
const RELIEFS_TO_RETURN = 4;

/** Entry point of a worker thread: one opener, messages one after the other. */
const port = threadPort();
const zstd = await loadZstd();
const release = await makeRelease();
const relieve = minorCollector();
const files = new PackFiles();
let opener: ChunkOpener | undefined;
let openedBytes = 0;
let reliefs = 0;

function open({ jobs, urgent, sealed }: OpenJobs): void {
  const opened: Opened[] = [];
  const plaintexts: Uint8Array[] = [];
  let at = 0;
  for (const job of jobs) {
    try {
      invariant(opener !== undefined, 'the keys come first');
      const bytes = typeof job.from === 'number' ? sealed.subarray(at, at + job.from) : files.read(job.from, !urgent);
      const { plaintext, payload } = opener.openPacked(job.type, job.id, job.session, bytes);
      plaintexts.push(plaintext);
      opened.push({ job: job.job, length: plaintext.length });
      if (plaintext.length < LARGE_BYTES) openedBytes += plaintext.length;
      else if (payload.buffer !== plaintext.buffer) releaseAll(payload);
    } catch (error) {
      opened.push(failure(job.job, error));
    }
    if (typeof job.from === 'number') at += job.from;
  }
  const plaintext = joined(plaintexts);
  port.postMessage({ opened, plaintext } satisfies FromOpener, [plaintext.buffer]);
  release(sealed);
  if (openedBytes < RELIEF_BYTES) return;
  openedBytes = 0;
  relieve();
  if (++reliefs % RELIEFS_TO_RETURN === 0) returnFreedMemory();
}

function releaseAll(bytes: Uint8Array): void {
  const memory = ownMemory(bytes);
  if (memory !== undefined) release(new Uint8Array(memory));
}

function failure(job: number, error: unknown): Opened {
  if (isCairnError(error)) return { job, code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { job, code: 'INTERNAL', message, hint: undefined };
}

receiveMessages((message: ToOpener) => {
  if ('keys' in message) opener = new ChunkOpener(nodeSuite, zstd, message.keys);
  else if ('soon' in message) files.advise(message.soon);
  else open(message);
});
