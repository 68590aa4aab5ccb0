import { DirectoryStore, openSshStore, systemEnvironment } from '@cairn/core';
import { testObjectStore } from '@cairn/core/testing';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';

import { Sshd, SERVER_COMMAND } from './support/sshd.ts';

describe('a store at an ssh address', () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await Sshd.start();
  });
  afterAll(async () => await sshd[Symbol.asyncDispose]());

  testObjectStore(
    it,
    async () => {
      const path = join(mkdtempSync(join(sshd.directory, 'case-')), 'store');
      await DirectoryStore.create(path);
      const publicKey = readFileSync(`${sshd.key('own')}.pub`, 'utf8');
      sshd.authorize(`command="${SERVER_COMMAND} serve --stdio --path ${path}",restrict ${publicKey}`);
      return openSshStore({ address: sshd.address, options: sshd.options('own') });
    },
    { environment: systemEnvironment, throwaway: true },
  );
});
