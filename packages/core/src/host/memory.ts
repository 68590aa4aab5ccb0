import { once } from 'node:events';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MessageChannel } from 'node:worker_threads';
import { libc } from './libc.ts';

/**
 * Memory of byte arrays lies outside of the heap that the collector watches, so it comes to it late: a thread that handles
 * packs would hold hundreds of megabytes of nothing. Two ways to be earlier, and one that makes early freeing count.
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

/** Percent of what lives by which the heap of a program that stays may grow. V8 lets a heap of some megabytes grow by 300. */
const HEAP_GROWING_PERCENT = 50;

/**
 * Has the collector come earlier: a server with requests under way all the time promotes what they leave behind, and 25 MB of what
 * lives became a heap of 90. A collection of such a heap takes about 30 ms, most of it beside the program.
 */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}

/** Percent of what lives by which the heap of a program may grow that moves much data. */
const MOVING_PERCENT = 200;
/** V8's own choice. */
const USUAL_PERCENT = 0;

/**
 * Has the collector come less often. V8 counts what lies in buffers as if it were in its heap, so a program with a heap of 10 MB through
 * which 500 MB pass, each piece for a moment, looked for garbage 50 times, 20 ms on several threads each time: a quarter of the
 * processor time of reading a large file over ssh, on both sides. With this it is 7 times.
 * @param whileBelow bytes that the heap itself may have for that; what is above grows as V8 likes it. Default: any.
 */
export function letHeapGrow(whileBelow = Infinity): void {
  let percent = USUAL_PERCENT;
  const choose = (): void => {
    const chosen = getHeapStatistics().used_heap_size < whileBelow ? MOVING_PERCENT : USUAL_PERCENT;
    if (chosen === percent) return;
    percent = chosen;
    setFlagsFromString(`--heap-growing-percent=${chosen}`);
  };
  choose();
  // The next collection is planned by the end of one.
  if (whileBelow !== Infinity) new PerformanceObserver(choose).observe({ entryTypes: ['gc'] });
}

/** `M_MMAP_THRESHOLD` of <malloc.h>. */
const M_MMAP_THRESHOLD = -3;
/** Bytes; glibc's own first value. */
const MMAP_THRESHOLD = 128 * 1024;

/**
 * Keeps every large block in pages of its own, so that freeing it gives them back to the system. glibc starts so, but raises
 * the bound up to 32 MiB as such blocks are freed, and then keeps them: 30 MB of the peak of a backup. Setting it stops that.
 */
export function returnFreedBlocks(): void {
  libc().mallopt?.(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
}

/** `M_TRIM_THRESHOLD` and `M_ARENA_MAX` of <malloc.h>. */
const M_TRIM_THRESHOLD = -1;
const M_ARENA_MAX = -8;
/** Bytes: more than a chunk, so that its memory serves the next chunk without the kernel. */
const SHARED_MMAP_THRESHOLD = 16 * 1024 * 1024;
/** Bytes at the end of the heap that are kept when what lay there is freed: more than the largest chunk, or the next asks the kernel. */
const KEPT_BYTES = 12 * 1024 * 1024;

/**
 * Lets all threads take memory from one heap, and keep little of it. glibc gives each thread a heap of its own, whose free parts no
 * other can use: 20 MB of the peak of a mount. One heap takes a tenth less processor time, too, because chunks lie where chunks lay
 * before. For a program whose threads hand large blocks to each other; to be called before they start.
 */
export function shareOneHeap(): void {
  const { mallopt } = libc();
  mallopt?.(M_ARENA_MAX, 1);
  mallopt?.(M_MMAP_THRESHOLD, SHARED_MMAP_THRESHOLD);
  mallopt?.(M_TRIM_THRESHOLD, KEPT_BYTES);
}

/**
 * Gives memory that was freed back to the system. glibc keeps what lies between small blocks, in an arena of each thread: 20 MB of
 * the peak of a mount that reads many small files.
 */
export function returnFreedMemory(): void {
  libc().malloc_trim?.(0);
}
