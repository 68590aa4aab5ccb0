// A thread that binds functions of the C library all the time that it is not asked to end.
import { createRequire } from 'node:module';

import { receiveMessages } from '../../dist/flow/threads.js';

const koffi = createRequire(import.meta.url)('koffi');

receiveMessages(() => {
  const library = koffi.load(null);
  const end = performance.now() + 20;
  while (performance.now() < end) library.func('int getpid()')();
});
