import { CairnError, passphraseBytes } from '@cairn/core';
import { spawn } from 'node:child_process';

import { readAll, readAllOf } from './read-all.ts';

/** Bytes that a passphrase may have, with room for what editors put behind it. */
const MOST_BYTES = 4 * 1024;

/** A way to get a passphrase without a person. The passphrase itself is never in argv or the environment. */
export type SecretSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'command'; readonly command: string }
  | { readonly kind: 'fd'; readonly fd: number };

/**
 * Reads a passphrase: all that the source gives but one line end. Rejects with `USAGE` when it cannot be had; messages never
 * have anything of it.
 */
export async function readSecret(source: SecretSource, signal: AbortSignal): Promise<Buffer> {
  const name = nameOf(source);
  const what = { name, most: MOST_BYTES, signal };
  switch (source.kind) {
    case 'file':
      return toPassphrase(await readAllOf(source.path, what), name);
    case 'fd':
      return toPassphrase(await readAll(source.fd, what), name);
    case 'command':
      return toPassphrase(await outputOf(source.command), name);
  }
}

function nameOf(source: SecretSource): string {
  if (source.kind === 'file') return `the passphrase file ${source.path}`;
  return source.kind === 'fd' ? `the passphrase from descriptor ${source.fd}` : 'what the passphrase command prints';
}

/** What the command prints. Its standard error and input are those of this process, so that it can ask. */
function outputOf(command: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['inherit', 'pipe', 'inherit'] });
    const parts: Buffer[] = [];
    let length = 0;
    child.stdout.on('data', (part: Buffer) => {
      length += part.length;
      if (length > MOST_BYTES) child.kill();
      else parts.push(part);
    });
    child.on('error', (cause) => reject(commandFailed('it did not start', cause)));
    child.on('close', (status, signal) => {
      if (length > MOST_BYTES) reject(commandFailed(`it prints more than ${MOST_BYTES} bytes`));
      else if (status === 0) resolve(Buffer.concat(parts));
      else reject(commandFailed(signal === null ? `it exited with status ${status}` : `it was ended by ${signal}`));
    });
  });
}

function commandFailed(reason: string, cause?: unknown): CairnError {
  return new CairnError('USAGE', `the passphrase command failed: ${reason}`, {
    hint: 'Try it in a shell: it must print the passphrase alone, on one line.',
    cause,
  });
}

function toPassphrase(bytes: Buffer, name: string): Buffer {
  try {
    const text = decode(bytes, name).replace(/\r?\n$/, '');
    if (text !== '') return passphraseBytes(text);
    throw new CairnError('USAGE', `${name} is empty`, { hint: 'It must be the passphrase alone, on one line.' });
  } finally {
    bytes.fill(0);
  }
}

function decode(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CairnError('USAGE', `${name} is not UTF-8 text`, { hint: 'Check that it is the right one.', cause });
  }
}
