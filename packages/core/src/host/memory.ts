import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MessageChannel } from 'node:worker_threads';

/**
 * Memory of byte arrays lies outside of the heap that the collector watches, so it comes to it late: a thread that handles
 * packs would hold hundreds of megabytes of nothing. Two ways to be earlier.
 */

/** Frees the memory of some bytes at once; every view of it becomes empty. Memory that others have a part of is left alone. */
export type Release = (bytes: Uint8Array) => void;

/** What is transferred into a channel that is closed is destroyed on the spot: the one way to free an `ArrayBuffer`. */
export async function makeRelease(): Promise<Release> {
  const { port1, port2 } = new MessageChannel();
  // Or a thread with nothing else to wait for would end here.
  port1.ref();
  port2.close();
  await once(port1, 'close');
  return ({ buffer, byteLength }) => {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) port1.postMessage(null, [buffer]);
  };
}

/** Makes a function that frees what became garbage a moment ago. A call takes about a millisecond. */
export function minorCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;
  return () => collect({ type: 'minor' });
}
