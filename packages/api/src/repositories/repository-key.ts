import {
  CairnError,
  isCairnError,
  readKeyOrSlot,
  readPassphraseFile,
  servingSuite,
  systemErrorCode,
  unlock,
  type KeyFile,
} from '@cairn/core';
import { stat } from 'node:fs/promises';

import type { RepositoryConfig } from '../config/panel-file.ts';

/** The key of a configured repository: read when it is needed, and again when its file is another. */
export class RepositoryKey {
  private readonly config: RepositoryConfig;
  private version = '';
  private loading: Promise<KeyFile> | undefined;

  constructor(config: RepositoryConfig) {
    this.config = config;
  }

  /** Rejects with `USAGE` for a file that cannot be read, `WRONG_KEY` when the passphrase does not open it, and as `parseKeyFileText`. */
  async load(): Promise<KeyFile> {
    const version = await this.versionNow();
    if (this.loading === undefined || version !== this.version) {
      this.version = version;
      this.loading = this.read();
      // A key that could not be read is tried again.
      this.loading.catch(() => (this.version = ''));
    }
    return await this.loading;
  }

  private async versionNow(): Promise<string> {
    const path = this.config['key-file'];
    try {
      const { ino, size, mtimeMs, ctimeMs } = await stat(path);
      return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
    } catch (cause) {
      throw this.unusable(`cannot read the key file ${path}: ${systemErrorCode(cause) ?? String(cause)}`, cause);
    }
  }

  private async read(): Promise<KeyFile> {
    const { 'key-file': path, 'passphrase-file': passphraseFile } = this.config;
    const stored = await this.atFault(readKeyOrSlot(servingSuite, path));
    if ('keyFile' in stored) return stored.keyFile;
    if (passphraseFile === undefined) {
      throw new CairnError('WRONG_KEY', `${path} is wrapped, and no passphrase-file is set for ${this.config.name}`, {
        hint: 'Set one in the panel’s file, or name an open key file.',
      });
    }
    const passphrase = await this.atFault(readPassphraseFile(passphraseFile));
    try {
      return (await unlock(servingSuite, [stored.slot], passphrase)).keyFile;
    } finally {
      passphrase.fill(0);
    }
  }

  /** What is wrong with the panel's own files is no mistake of who asked. */
  private async atFault<T>(reading: Promise<T>): Promise<T> {
    try {
      return await reading;
    } catch (error) {
      throw isCairnError(error, 'USAGE') ? this.unusable(error.message, error) : error;
    }
  }

  private unusable(message: string, cause: unknown): CairnError {
    return new CairnError('USAGE', message, {
      hint: `The panel’s file names it for the repository ${this.config.name}.`,
      details: { http: 500 },
      cause,
    });
  }
}
