import { CairnError, LIMITS, passphraseOf, readAll, readPassphraseFile } from '@cairn/core';
import { spawn } from 'node:child_process';

const MOST_BYTES = LIMITS.passphraseBytes;

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
  switch (source.kind) {
    case 'file':
      return await readPassphraseFile(source.path, signal);
    case 'fd': {
      const name = `the passphrase from descriptor ${source.fd}`;
      return passphraseOf(await readAll(source.fd, { name, most: MOST_BYTES, signal }), name);
    }
    case 'command':
      return passphraseOf(await outputOf(source.command), 'what the passphrase command prints');
  }
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
