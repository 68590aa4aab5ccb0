import { nodeSuite } from '../crypto/node-suite.ts';
import { invariant } from '../errors.ts';
import { receiveMessages, threadPort } from '../flow/threads.ts';
import { makeRelease, minorCollector } from '../host/memory.ts';
import { loadZstd } from '../zstd/load.ts';
import type { FromVerifier, ToVerifier } from './verifier-messages.ts';
import { PackVerifier } from './verify-pack.ts';

/** Entry point of a worker thread: one verifier, packs one after the other. */
const port = threadPort();
const zstd = await loadZstd();
const release = await makeRelease();
const relieve = minorCollector();
let verifier: PackVerifier | undefined;

function answer(message: ToVerifier): FromVerifier | undefined {
  if (message.type === 'setup') {
    verifier = new PackVerifier(nodeSuite, zstd, message.keys, relieve);
    return undefined;
  }
  invariant(verifier !== undefined, 'the setup comes first');
  const verdict = verifier.verify(message.name, message.object);
  release(message.object);
  return { type: 'verdict', verdict };
}

receiveMessages((message: ToVerifier) => {
  let reply: FromVerifier | undefined;
  try {
    reply = answer(message);
  } catch (error) {
    // Errors lose their class on the way between threads; whatever comes here is a bug or a lack of memory.
    reply = { type: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  if (reply !== undefined) port.postMessage(reply);
});
