import { describe, expect, it } from 'vitest';
import { label } from '../crypto/labels.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { type ErrorCode, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { ARGON2, LIMITS } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { cheapSuite, SAMPLE_KEYS, SAMPLE_TIME_NS, seededRandom } from '../testing/sample-keys.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { encodeKeyFileText } from './key-file.ts';
import { createPassphraseSlot, openPassphraseSlot, tryPassphraseSlot } from './passphrase-slot.ts';
import { passphraseBytes } from './passphrase.ts';
import { encodeSlot, parseSlot, type PassphraseSlot } from './slot.ts';

const PASSPHRASE = passphraseBytes('correct größe battery');
const NOTES = { label: 'laptop', createdNs: SAMPLE_TIME_NS };
const SMALL = { memoryKiB: 8 * 1024, passes: 1, lanes: 1 };

function coded(code: ErrorCode): unknown {
  return expect.toSatisfy((error) => isCairnError(error, code), code);
}

/** `parseSlot` of what comes out of `change`. */
function changed(slot: PassphraseSlot, change: Record<string, unknown>): Uint8Array {
  return Buffer.from(JSON.stringify({ cairn: 1, ...slot, ...change }));
}

async function cheapSlot(): Promise<PassphraseSlot> {
  return await createPassphraseSlot(cheapSuite(), seededRandom('slot'), SAMPLE_KEYS, PASSPHRASE, NOTES);
}

describe('passphrase slot', () => {
  it('opens with its passphrase after a way through bytes, with the parameters that are meant', async () => {
    const computed = new Map<string, Promise<Uint8Array>>();
    const suite: CryptoSuite = {
      ...nodeSuite,
      argon2id: (passphrase, salt, parameters, length) => {
        // The real function, which takes a second: once for both ways.
        const inputs = JSON.stringify([toHex(passphrase), toHex(salt), { ...parameters }, length]);
        const result = computed.get(inputs) ?? nodeSuite.argon2id(passphrase, salt, parameters, length);
        computed.set(inputs, result);
        return result.then((bytes) => Uint8Array.from(bytes));
      },
    };
    const slot = await createPassphraseSlot(suite, seededRandom('a'), SAMPLE_KEYS, PASSPHRASE, NOTES);
    expect(slot.kdf).toMatchObject({ name: 'argon2id', memoryKiB: 65_536, passes: 3, lanes: 4 });
    const read = parseSlot(encodeSlot(slot));
    expect(read).toEqual(slot);
    if (read.kind !== 'passphrase') throw new Error('another kind');
    const keyFile = await openPassphraseSlot(suite, read, PASSPHRASE);
    expect(keyFile).toMatchObject(NOTES);
    expect(Buffer.from(keyFile.capabilities.root ?? [])).toEqual(SAMPLE_KEYS.root);
    expect(computed.size).toBe(1);
  }, 20_000);

  it('is what the format page says', async () => {
    const slot = await createPassphraseSlot(nodeSuite, seededRandom('b'), SAMPLE_KEYS, PASSPHRASE, {
      ...NOTES,
      kdf: SMALL,
      kdfFloor: SMALL,
    });
    const numbers = Buffer.alloc(12);
    numbers.writeUInt32LE(8192, 0);
    numbers.writeUInt32LE(1, 4);
    numbers.writeUInt32LE(1, 8);
    const salt = Buffer.from(slot.kdf.salt, 'hex');
    const ids = Buffer.from(slot.repository + slot.fingerprint + slot.uid, 'hex');
    const header = Buffer.concat([label('slot'), ids, numbers, salt]);
    expect(salt).toHaveLength(32);
    const stretched = await nodeSuite.argon2id(PASSPHRASE, salt, SMALL, 64);
    const [sealing, committing] = [stretched.subarray(0, 32), stretched.subarray(32)].map((k) =>
      nodeSuite.secretKey(k),
    );
    if (sealing === undefined || committing === undefined) throw new Error('two keys');
    expect(Buffer.from(nodeSuite.hmac(committing, header)).toString('hex')).toBe(slot.commitment);
    const sealed = Buffer.from(slot.sealed, 'hex');
    const text = nodeSuite.decrypt(sealing, sealed.subarray(0, 12), header, sealed.subarray(12));
    expect(Buffer.from(text ?? []).toString()).toBe(encodeKeyFileText(nodeSuite, SAMPLE_KEYS, NOTES));
  });

  it('does not open with another passphrase', async () => {
    const suite = cheapSuite();
    const slot = await cheapSlot();
    for (const wrong of ['correct größe batter', 'Correct größe battery', ' correct größe battery']) {
      expect(await tryPassphraseSlot(suite, slot, passphraseBytes(wrong))).toBeUndefined();
      await expect(openPassphraseSlot(suite, slot, passphraseBytes(wrong))).rejects.toEqual(coded('WRONG_KEY'));
    }
  });

  it('does not open what does not fit the commitment, before anything is deciphered', async () => {
    const deciphered: string[] = [];
    const suite: CryptoSuite = {
      ...cheapSuite(),
      decrypt: (...given) => {
        deciphered.push('once');
        return nodeSuite.decrypt(...given);
      },
    };
    const slot = await cheapSlot();
    expect(await tryPassphraseSlot(suite, { ...slot, commitment: '00'.repeat(32) }, PASSPHRASE)).toBeUndefined();
    expect(await tryPassphraseSlot(suite, { ...slot, uid: '00'.repeat(16) }, PASSPHRASE)).toBeUndefined();
    expect(deciphered).toEqual([]);
    expect(await tryPassphraseSlot(suite, slot, PASSPHRASE)).toBeDefined();
    expect(deciphered).toEqual(['once']);
  });

  it('yields no wrong key when changed at any byte', async () => {
    const suite = cheapSuite();
    const slot = await cheapSlot();
    const right = await openPassphraseSlot(suite, slot, PASSPHRASE);
    const codes = new Map<string, number>();
    const count = (code: string): void => void codes.set(code, (codes.get(code) ?? 0) + 1);
    for (const { what, bytes } of mutationsOf(encodeSlot(slot))) {
      try {
        const read = parseSlot(bytes);
        if (read.kind !== 'passphrase') throw new Error(`became another kind: ${what}`);
        const keyFile = await tryPassphraseSlot(suite, read, PASSPHRASE);
        if (keyFile === undefined) count('another passphrase');
        else {
          // Only white space and the notes, which nothing is decided by, can change unnoticed.
          const { label: _label, rights: _rights, created: _created, ...rest } = read;
          expect(slot, what).toMatchObject(rest);
          expect(keyFile.fingerprint, what).toEqual(right.fingerprint);
          expect(keyFile.capabilities.root, what).toEqual(right.capabilities.root);
          count('opened');
        }
      } catch (error) {
        if (!isCairnError(error)) throw error;
        count(error.code);
      }
    }
    expect([...codes.keys()].sort()).toEqual(
      ['CORRUPT', 'FORMAT_UNSUPPORTED', 'LIMIT_EXCEEDED', 'another passphrase', 'opened'].sort(),
    );
    expect(codes.get('CORRUPT')).toBeGreaterThan(slot.sealed.length);
  }, 20_000);

  it('is not another slot', async () => {
    const suite = cheapSuite();
    const random = seededRandom('two');
    const [one, two] = [
      await createPassphraseSlot(suite, random, SAMPLE_KEYS, PASSPHRASE, NOTES),
      await createPassphraseSlot(suite, random, SAMPLE_KEYS, PASSPHRASE, NOTES),
    ];
    expect(one.uid).not.toBe(two.uid);
    expect(one.kdf.salt).not.toBe(two.kdf.salt);
    expect(one.sealed).not.toBe(two.sealed);
    await expect(tryPassphraseSlot(suite, { ...one, sealed: two.sealed }, PASSPHRASE)).rejects.toEqual(
      coded('CORRUPT'),
    );
  });

  it('refuses to be made with too little, and with too much', async () => {
    const make = async (kdf: typeof SMALL, passphrase: Uint8Array = PASSPHRASE): Promise<unknown> =>
      await createPassphraseSlot(cheapSuite(), seededRandom('c'), SAMPLE_KEYS, passphrase, { ...NOTES, kdf });
    const { memoryKiB, passes, lanes } = ARGON2;
    const usual = { memoryKiB, passes, lanes };
    await expect(make(usual)).resolves.toBeDefined();
    await expect(make(usual, Buffer.alloc(0))).rejects.toEqual(coded('USAGE'));
    for (const less of [{ memoryKiB: memoryKiB - 1 }, { passes: passes - 1 }, { lanes: lanes - 1 }]) {
      await expect(make({ ...usual, ...less })).rejects.toEqual(coded('USAGE'));
    }
    for (const more of [{ memoryKiB: ARGON2.maxMemoryKiB + 1 }, { passes: 21 }, { lanes: 17 }]) {
      await expect(make({ ...usual, ...more })).rejects.toEqual(coded('LIMIT_EXCEEDED'));
    }
  });

  it('says that it was the machine when argon2id cannot be computed', async () => {
    const suite: CryptoSuite = { ...cheapSuite(), argon2id: () => Promise.reject(new RangeError('allocation failed')) };
    await expect(tryPassphraseSlot(suite, await cheapSlot(), PASSPHRASE)).rejects.toEqual(coded('HOST_UNSUPPORTED'));
  });
});

describe('parseSlot', () => {
  it('refuses what is no slot', async () => {
    const slot = await cheapSlot();
    const { label: _label, ...unlabelled } = slot;
    const kdf = (change: Record<string, unknown>): Uint8Array => changed(slot, { kdf: { ...slot.kdf, ...change } });
    const cases: [Uint8Array, ErrorCode][] = [
      [Buffer.alloc(0), 'CORRUPT'],
      [Buffer.from('[1]'), 'CORRUPT'],
      [Buffer.from('null'), 'CORRUPT'],
      [Buffer.from('['.repeat(100_000)), 'CORRUPT'],
      [Buffer.from(`{"a":`.repeat(40_000)), 'CORRUPT'],
      [Buffer.concat([Buffer.from('\ufeff'), encodeSlot(slot)]), 'CORRUPT'],
      [Buffer.from(`{"cairn": 1, "label": "\xff"}`, 'latin1'), 'CORRUPT'],
      [Buffer.alloc(LIMITS.keyFileBytes + 1, ' '), 'LIMIT_EXCEEDED'],
      [Buffer.from(JSON.stringify({ cairn: 1, ...unlabelled })), 'CORRUPT'],
      [Buffer.from(JSON.stringify(slot)), 'CORRUPT'],
      [changed(slot, { cairn: 2 }), 'FORMAT_UNSUPPORTED'],
      [changed(slot, { cairn: '1' }), 'CORRUPT'],
      [changed(slot, { kind: 'age' }), 'FORMAT_UNSUPPORTED'],
      [changed(slot, { kind: 7 }), 'CORRUPT'],
      [changed(slot, { extra: 1 }), 'CORRUPT'],
      [Buffer.from(`{"__proto__":{},${encodeSlot(slot).toString().trimStart().slice(1)}`), 'CORRUPT'],
      [changed(slot, { uid: slot.uid.toUpperCase() }), 'CORRUPT'],
      [changed(slot, { uid: '../../etc/passwd' }), 'CORRUPT'],
      [changed(slot, { sealed: slot.sealed.slice(1) }), 'CORRUPT'],
      [changed(slot, { sealed: '00'.repeat(27) }), 'CORRUPT'],
      [changed(slot, { commitment: slot.commitment.slice(2) }), 'CORRUPT'],
      [changed(slot, { kdf: null }), 'CORRUPT'],
      [changed(slot, { kdf: [] }), 'CORRUPT'],
      [kdf({ name: 'scrypt' }), 'FORMAT_UNSUPPORTED'],
      [kdf({ salt: '' }), 'CORRUPT'],
      [kdf({ extra: 1 }), 'CORRUPT'],
      [kdf({ passes: 0 }), 'CORRUPT'],
      [kdf({ lanes: 0 }), 'CORRUPT'],
      [kdf({ passes: -1 }), 'CORRUPT'],
      [kdf({ passes: 1.5 }), 'CORRUPT'],
      [kdf({ memoryKiB: '65536' }), 'CORRUPT'],
      [kdf({ memoryKiB: 31, lanes: 4 }), 'CORRUPT'],
      [kdf({ memoryKiB: ARGON2.maxMemoryKiB + 1 }), 'LIMIT_EXCEEDED'],
      [kdf({ memoryKiB: 2 ** 40 }), 'LIMIT_EXCEEDED'],
      [kdf({ passes: 21 }), 'LIMIT_EXCEEDED'],
      [kdf({ lanes: 17 }), 'LIMIT_EXCEEDED'],
    ];
    cases.forEach(([bytes, code], i) => {
      expect(() => parseSlot(bytes), `case ${i}: ${Buffer.from(bytes).toString().slice(0, 300)}`).toThrow(coded(code));
    });
  });

  it('takes weaker parameters than may be written today, and the ceilings themselves', async () => {
    const slot = await cheapSlot();
    for (const kdf of [SMALL, { memoryKiB: ARGON2.maxMemoryKiB, passes: ARGON2.maxPasses, lanes: ARGON2.maxLanes }]) {
      expect(parseSlot(changed(slot, { kdf: { ...slot.kdf, ...kdf } }))).toMatchObject({ kdf });
    }
  });

  it('refuses to write a slot that nobody would read', async () => {
    const slot = await cheapSlot();
    expect(() => encodeSlot({ ...slot, label: 'x'.repeat(LIMITS.keyFileBytes) })).toThrow(coded('LIMIT_EXCEEDED'));
  });
});
