import { threadId } from 'node:worker_threads';

import type { ByteString } from './byte-path.ts';

const PREFIX = '.cairn-restore-';
const PATTERN = /^\.cairn-restore-\d+-\d+-\d+$/;

let made = 0;

/** A name for a file that is not complete yet. No other thread of this process, and no other process, gives the same. */
export function temporaryName(): ByteString {
  made += 1;
  return `${PREFIX}${process.pid}-${threadId}-${made}`;
}

/** True for what `temporaryName` gave, in whatever process. */
export function isTemporaryName(name: ByteString): boolean {
  return PATTERN.test(name);
}
