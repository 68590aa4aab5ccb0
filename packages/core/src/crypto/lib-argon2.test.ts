import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { loadLibArgon2 } from './lib-argon2.ts';
import { nobleArgon2id } from './noble-argon2.ts';

const library = await loadLibArgon2();

describe.skipIf(library === undefined)('argon2id of the system', () => {
  it('agrees with the portable one', async () => {
    if (library === undefined) throw new Error('not loaded');
    const parameters = fc.record({
      memoryKiB: fc.integer({ min: 32, max: 128 }),
      passes: fc.integer({ min: 1, max: 3 }),
      lanes: fc.integer({ min: 1, max: 4 }),
    });
    const salts = fc.uint8Array({ minLength: 32, maxLength: 32 });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 64 }), salts, parameters, async (passphrase, salt, kdf) => {
        const answer = await library(passphrase, salt, kdf, 64);
        expect(Buffer.from(answer)).toEqual(Buffer.from(await nobleArgon2id(passphrase, salt, kdf, 64)));
      }),
      { numRuns: 20 },
    );
  });

  it('says when it cannot', async () => {
    if (library === undefined) throw new Error('not loaded');
    const refused = library(Buffer.alloc(1), Buffer.alloc(32), { memoryKiB: 1, passes: 1, lanes: 1 }, 32);
    await expect(refused).rejects.toThrow('libargon2 reports error');
  });
});
