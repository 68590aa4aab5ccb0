import { describe, expect, it } from 'vitest';
import { deriveCapabilities, fingerprintOf } from '../crypto/capabilities.ts';
import { type CairnError, type ErrorCode, isCairnError } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { cheapSuite, SAMPLE_KEYS, SAMPLE_REPO, SAMPLE_TIME_NS, seededRandom } from '../testing/sample-keys.ts';
import { createPassphraseSlot, openPassphraseSlot } from './passphrase-slot.ts';
import { passphraseBytes } from './passphrase.ts';
import { encodeSlot, keyFileOfSlot, type OpenPgpSlot, parseSlot, type PassphraseSlot } from './slot.ts';
import { encodeKeyFileText } from './key-file.ts';
import { acceptSlotKey, unlock } from './unlock.ts';

const suite = cheapSuite();
const random = seededRandom('unlock');
const ALICE = passphraseBytes('alice');
const BOB = passphraseBytes('bob');
const EVIL = deriveCapabilities(suite, random.bytes(32), SAMPLE_REPO);

function coded(code: ErrorCode): unknown {
  return expect.toSatisfy((error) => isCairnError(error, code), code);
}

async function slotFor(passphrase: Uint8Array, label: string, memoryKiB = 65_536): Promise<PassphraseSlot> {
  const notes = { label, createdNs: SAMPLE_TIME_NS, kdf: { memoryKiB, passes: 3, lanes: 4 } };
  return await createPassphraseSlot(suite, random, SAMPLE_KEYS, passphrase, notes);
}

async function refusal(promise: Promise<unknown>): Promise<CairnError> {
  try {
    await promise;
  } catch (error) {
    if (isCairnError(error)) return error;
    throw error;
  }
  throw new Error('it did not reject');
}

const OPENPGP: OpenPgpSlot = {
  uid: '00'.repeat(16),
  repository: '00'.repeat(16),
  fingerprint: '00'.repeat(10),
  rights: 'root',
  label: '',
  created: '2026-11-21T08:00:00Z',
  kind: 'openpgp',
  recipients: ['00'.repeat(20)],
  message: '-----BEGIN PGP MESSAGE-----',
};

describe('unlock', () => {
  it('finds the slot of the passphrase', async () => {
    const slots = [OPENPGP, await slotFor(ALICE, 'alice'), await slotFor(BOB, 'bob')];
    for (const [passphrase, label] of [
      [ALICE, 'alice'],
      [BOB, 'bob'],
    ] as const) {
      const unlocked = await unlock(suite, slots, passphrase);
      expect(unlocked.keyFile.label).toBe(label);
      expect(unlocked.slot.label).toBe(label);
      expect(unlocked.failures).toEqual([]);
    }
  });

  it('says so at the end when it is no slot of these', async () => {
    const slots = [OPENPGP, await slotFor(ALICE, 'alice'), await slotFor(BOB, 'bob')];
    const error = await refusal(unlock(suite, slots, passphraseBytes('carol')));
    expect(error.code).toBe('WRONG_KEY');
    expect(error.message).toMatch(/none of 2 key slots/);
    for (const none of [[], [OPENPGP]]) {
      const without = await refusal(unlock(suite, none, ALICE));
      expect(without.code).toBe('WRONG_KEY');
      expect(without.message).toMatch(/no key slot that a passphrase opens/);
    }
  });

  it('goes on after a damaged slot, and tells of it', async () => {
    const whole = await slotFor(ALICE, 'whole');
    const broken = { ...(await slotFor(ALICE, 'broken')), sealed: whole.sealed };
    const unlocked = await unlock(suite, [broken, whole], ALICE);
    expect(unlocked.keyFile.label).toBe('whole');
    expect(unlocked.failures).toEqual([{ uid: broken.uid, error: coded('CORRUPT') }]);
    const error = await refusal(unlock(suite, [broken], ALICE));
    expect(error.code).toBe('WRONG_KEY');
    expect(error.message).toContain(broken.uid);
    expect(error.cause).toEqual(coded('CORRUPT'));
  });

  it('tries the cheap slots first, so that an impossible one does not stand in the way', async () => {
    const tried: number[] = [];
    const counting: CryptoSuite = {
      ...suite,
      argon2id: async (passphrase, salt, parameters, length) => {
        tried.push(parameters.memoryKiB);
        return await suite.argon2id(passphrase, salt, parameters, length);
      },
    };
    const slots = [await slotFor(BOB, 'huge', 2_097_152), await slotFor(BOB, 'b', 131_072), await slotFor(ALICE, 'a')];
    await unlock(counting, slots, ALICE);
    expect(tried).toEqual([65_536]);
    await refusal(unlock(counting, slots, passphraseBytes('carol')));
    expect(tried).toEqual([65_536, 65_536, 131_072, 2_097_152]);
  });

  it('lets a change of passphrase be a new slot, tried, before the old one goes', async () => {
    const old = await slotFor(ALICE, 'mine');
    const { keyFile } = await unlock(suite, [old], ALICE);
    const fresh = await createPassphraseSlot(suite, random, keyFile.capabilities, BOB, keyFile);
    const stored = parseSlot(encodeSlot(fresh));
    if (stored.kind !== 'passphrase') throw new Error('another kind');
    expect((await openPassphraseSlot(suite, stored, BOB)).fingerprint).toEqual(keyFile.fingerprint);
    expect((await unlock(suite, [old, stored], BOB)).slot.uid).toBe(fresh.uid);
    await expect(unlock(suite, [stored], ALICE)).rejects.toEqual(coded('WRONG_KEY'));
  });
});

describe('a key from a slot of a store', () => {
  const pinned = fingerprintOf(suite, SAMPLE_KEYS);

  it('is accepted when it is the pinned one, and needs a person when nothing is pinned', async () => {
    const { keyFile } = await unlock(suite, [await slotFor(ALICE, 'a')], ALICE);
    expect(acceptSlotKey(keyFile, pinned)).toBe('accepted');
    expect(acceptSlotKey(keyFile, undefined)).toBe('unconfirmed');
  });

  it('is refused when somebody put another there', async () => {
    const notes = { label: 'planted', createdNs: SAMPLE_TIME_NS };
    const planted = await createPassphraseSlot(suite, random, EVIL, ALICE, notes);
    const { keyFile } = await unlock(suite, [planted], ALICE);
    expect(() => acceptSlotKey(keyFile, pinned)).toThrow(coded('WRONG_KEY'));
    expect(acceptSlotKey(keyFile, undefined)).toBe('unconfirmed');
  });

  it('is refused when it is not the one that the slot speaks of', async () => {
    const text = encodeKeyFileText(suite, EVIL, { label: '', createdNs: 0n });
    const slot = await slotFor(ALICE, 'a');
    expect(() => keyFileOfSlot(suite, slot, text)).toThrow(coded('CORRUPT'));
    expect(() => keyFileOfSlot(suite, slot, 'hello')).toThrow(coded('USAGE'));
  });
});
