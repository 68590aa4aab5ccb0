import type { PathInput } from '@cairn/core';
import { readFileSync } from 'node:fs';

/** What Node.js puts in the place of bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';

/**
 * A path from the command line with the very bytes that the shell passed. Node.js decodes arguments as UTF-8; where that lost
 * something, the bytes are taken from the kernel (proc(5), `/proc/PID/cmdline`).
 */
export function pathArgument(text: string): PathInput {
  if (!text.includes(REPLACEMENT)) return text;
  const line = readFileSync('/proc/self/cmdline');
  for (let at = 0; at < line.length;) {
    const nul = line.indexOf(0, at);
    const end = nul === -1 ? line.length : nul;
    const bytes = line.subarray(at, end);
    if (bytes.toString('utf8') === text) return bytes;
    at = end + 1;
  }
  return text;
}
