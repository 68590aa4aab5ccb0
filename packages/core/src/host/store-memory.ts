import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { CairnError, systemErrorCode } from '../errors.ts';
import type { StoreMemory } from '../ports/store-memory.ts';

/**
 * What a client remembers of stores, in files of mode 0600 below `directory`, one for each address. The names are hashes, for an
 * address may be long. Losing them costs asking the stores again.
 */
export class DirectoryStoreMemory implements StoreMemory {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Rejects with `HOST_UNSUPPORTED` when it cannot be read. */
  async isProved(address: string): Promise<boolean> {
    const path = this.pathOf(address);
    try {
      return (await readFile(path, 'utf8')) === lineOf(address);
    } catch (cause) {
      if (systemErrorCode(cause) === 'ENOENT') return false;
      throw new CairnError('HOST_UNSUPPORTED', `cannot read ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
        hint: 'This machine remembers its stores there; check the permissions.',
        cause,
      });
    }
  }

  /** Rejects with `TARGET_FAILED` when it cannot be written. */
  async setProved(address: string): Promise<void> {
    const path = this.pathOf(address);
    try {
      await mkdir(this.directory, { recursive: true, mode: 0o700 });
      await writeFile(path, lineOf(address), { mode: 0o600 });
    } catch (cause) {
      throw new CairnError('TARGET_FAILED', `cannot write ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
        hint: 'This machine remembers its stores there; check permissions and free space.',
        cause,
      });
    }
  }

  private pathOf(address: string): string {
    return join(this.directory, createHash('sha256').update(address).digest('hex').slice(0, 32));
  }
}

/** Whole or wrong: a file that was cut off is as good as none. */
function lineOf(address: string): string {
  return `never overwrites: ${address}\n`;
}
