import { nodeSuite } from '../crypto/node-suite.ts';
import { invariant, isCairnError } from '../errors.ts';
import { receiveMessages, threadPort } from '../flow/threads.ts';
import { systemEnvironment } from '../host/environment.ts';
import { minorCollector } from '../host/memory.ts';
import { loadZstd } from '../zstd/load.ts';
import { ContentProcessor, stopped, type PackSink } from './content-processor.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** Entry point of a worker thread: one processor, jobs one after the other. */
const port = threadPort();

let processor: ContentProcessor | undefined;
/** Packs on their way to the store, by their names, and who takes their memory back. */
const unstored = new Map<string, (memory: ArrayBuffer) => void>();
let mostUnstored = 1;
let wake: (() => void) | undefined;
let stopping = false;

/** Ciphers return their output in fresh memory: without this a thread would hold some 100 MB of it. */
const collect = minorCollector();

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

/** Resolves when no more than so many packs are on their way. */
async function atMostUnstored(most: number): Promise<void> {
  while (unstored.size > most) {
    if (stopping) throw stopped();
    await new Promise<void>((resolve) => (wake = resolve));
  }
}

/** So many packs may be on their way to the store while the next fills; that one waits. Their memory comes back with the answers. */
const sink: PackSink = {
  ready: () => atMostUnstored(mostUnstored - 1),
  async take(pack, recycle) {
    unstored.set(pack.name, recycle);
    send({ type: 'pack', pack }, [pack.object.buffer as ArrayBuffer]);
  },
  drained: () => atMostUnstored(0),
  relieve: collect,
};

async function handle(message: Exclude<ToWorker, { type: 'pack-stored' | 'stop' }>): Promise<void> {
  if (message.type === 'setup') {
    mostUnstored = message.setup.packsUnderWay;
    processor = new ContentProcessor(message.setup, nodeSuite, systemEnvironment.random, await loadZstd(), sink);
    return;
  }
  invariant(processor !== undefined, 'the setup comes first');
  if (message.type === 'job') {
    const result = await processor.run(message.job);
    send({ type: 'done', id: message.id, result, counts: processor.counts });
    return;
  }
  await processor.flush();
  send({ type: 'flushed', counts: processor.counts });
}

/** Errors lose their class on the way between threads, so their parts are sent. */
function report(error: unknown): void {
  if (isCairnError(error)) {
    const { code, message, hint } = error;
    send({ type: 'failed', code, message, ...(hint === undefined ? {} : { hint }) });
  } else {
    send({
      type: 'failed',
      code: 'INTERNAL',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
}

let tail: Promise<void> = Promise.resolve();
receiveMessages((message: ToWorker) => {
  if (message.type === 'pack-stored') {
    unstored.get(message.name)?.(message.memory);
    unstored.delete(message.name);
    wake?.();
    return;
  }
  if (message.type === 'stop') {
    stopping = true;
    wake?.();
    // Not before the job at hand has closed what it opened: ending a thread does not.
    tail = tail.then(() => send({ type: 'stopped' }));
    return;
  }
  tail = tail.then(() => handle(message)).catch(report);
});
