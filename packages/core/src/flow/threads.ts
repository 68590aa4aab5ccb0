import { parentPort, type MessagePort, type Worker } from 'node:worker_threads';

import { invariant } from '../errors.ts';

/** The message after which a thread ends. All others are objects. */
const END = 'end';

/**
 * Ends a thread when it has done what it was given before; resolves when it is gone. `Worker.terminate` would end it in the midst of
 * whatever it does, and where that is a call of a native module, Node-API aborts the whole process ("FATAL ERROR:
 * Error::ThrowAsJavaScriptException"), as it did to a mount whose thread was binding a function of the C library.
 */
export async function endThread(worker: Worker): Promise<void> {
  // What the number is when the thread is gone.
  if (worker.threadId === -1) return;
  const gone = new Promise<void>((resolve) => void worker.once('exit', () => resolve()));
  // Or a program with nothing else to wait for would end here.
  worker.ref();
  worker.postMessage(END);
  await gone;
}

/** In a thread that `endThread` ends: where it speaks to who started it. */
export function threadPort(): MessagePort {
  invariant(parentPort !== null, 'this module is started as a worker thread');
  return parentPort;
}

/** In a thread: hands on each message, one after the other. Keeps the thread there until it is ended; nothing else should. */
export function receiveMessages<Message>(receive: (message: Message) => void): void {
  const port = threadPort();
  port.on('message', (message: Message | typeof END) => {
    if (message === END) port.close();
    else receive(message);
  });
}
