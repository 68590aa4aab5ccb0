import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { nobleSuite } from './noble-suite.ts';
import { nodeSuite } from './node-suite.ts';

const SUITES = [nodeSuite, nobleSuite] as const;
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): void =>
  expect(a && Buffer.from(a).toString('hex')).toBe(b && Buffer.from(b).toString('hex'));
const bytesOf = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
/** Lengths around the blocks of SHA-256 and AES, and odd ones. */
const someBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.constantFrom(0, 1, 15, 16, 17, 55, 56, 63, 64, 65, 128, 4097).map((length) => new Uint8Array(length).fill(length)),
);

describe.each(SUITES)('$name: published answers', (suite: CryptoSuite) => {
  it('SHA-256 (FIPS 180-4, appendix B)', () => {
    same(
      suite.sha256(Buffer.from('a'), Buffer.from(''), Buffer.from('bc')),
      hex('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'),
    );
    same(suite.sha256(), hex('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'));
  });

  it('HMAC-SHA-256 (RFC 4231, case 2, its short key padded with zeros as the MAC does itself)', () => {
    const key = suite.secretKey(Buffer.concat([Buffer.from('Jefe'), Buffer.alloc(28)]));
    same(
      suite.hmac(key, Buffer.from('what do ya want '), Buffer.from('for nothing?')),
      hex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'),
    );
  });

  it('HKDF-SHA-256 (RFC 5869, cases 1 and 3)', () => {
    same(
      suite.hkdf(hex('0b'.repeat(22)), hex('000102030405060708090a0b0c'), hex('f0f1f2f3f4f5f6f7f8f9'), 42),
      hex('3cb25f25faacd57a90434f64d0362f2a 2d2d0a90cf1a5a4c5db02d56ecc4c5bf 34007208d5b887185865'),
    );
    same(
      suite.hkdf(hex('0b'.repeat(22)), hex(''), hex(''), 42),
      hex('8da4e775a563c18f715f802a063c5a31 b8a11f5c5ee1879ec3454e5f3c738d2d 9d201395faa4b61a96c8'),
    );
  });

  it('X25519 (RFC 7748, sections 5.2 and 6.1)', () => {
    // The second point has its highest bit set, which must not count.
    const points = [
      [
        'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
        'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
        'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
      ],
      [
        '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
        'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
        '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
      ],
    ] as const;
    for (const [scalar, point, result] of points) same(suite.x25519(hex(scalar), hex(point)), hex(result));
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
    const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    const alicePublic = hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    const bobPublic = hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    const shared = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
    same(suite.x25519Public(alice), alicePublic);
    same(suite.x25519Public(bob), bobPublic);
    same(suite.x25519(alice, bobPublic), shared);
    same(suite.x25519(bob, alicePublic), shared);
  });

  it('refuses points of small order, whose result is all zero (RFC 7748, section 6.1)', () => {
    for (const point of [
      '00'.repeat(32),
      `01${'00'.repeat(31)}`,
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
      `ec${'ff'.repeat(30)}7f`,
      `ed${'ff'.repeat(30)}7f`,
      `ee${'ff'.repeat(30)}7f`,
      `ec${'ff'.repeat(31)}`,
    ]) {
      expect(() => suite.x25519(Buffer.alloc(32, 7), hex(point)), point).toThrow(
        expect.toSatisfy((error) => isCairnError(error, 'CORRUPT')),
      );
    }
  });

  it('AES-256-GCM (McGrew and Viega, test cases 13, 14 and 16)', () => {
    const zero = suite.secretKey(Buffer.alloc(32));
    same(suite.encrypt(zero, Buffer.alloc(12), Buffer.alloc(0)), hex('530f8afbc74536b9a963b4f1c4cb738b'));
    same(
      suite.encrypt(zero, Buffer.alloc(12), Buffer.alloc(0), Buffer.alloc(16)),
      hex('cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919'),
    );
    const key = suite.secretKey(hex('feffe9928665731c6d6a8f9467308308'.repeat(2)));
    const nonce = hex('cafebabefacedbaddecaf888');
    const aad = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
    const plaintext = hex(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    );
    const sealed = hex(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662 76fc6ece0f4e1768cddf8853bb2d551b',
    );
    same(suite.encrypt(key, nonce, aad, plaintext.subarray(0, 7), plaintext.subarray(7)), sealed);
    same(suite.decrypt(key, nonce, aad, sealed), plaintext);
  });
});

describe('the two suites', () => {
  it('agree on hashes, MACs and derivations', () => {
    fc.assert(
      fc.property(
        fc.array(someBytes, { maxLength: 4 }),
        bytesOf(32),
        fc.integer({ min: 1, max: 1024 }),
        (parts, key, n) => {
          same(nodeSuite.sha256(...parts), nobleSuite.sha256(...parts));
          same(
            nodeSuite.hmac(nodeSuite.secretKey(key), ...parts),
            nobleSuite.hmac(nobleSuite.secretKey(key), ...parts),
          );
          const [ikm = key, salt = key] = parts;
          // Labels and what they bind are short; OpenSSL takes no more than 1024 bytes here.
          const info = (parts[2] ?? key).subarray(0, 1024);
          same(nodeSuite.hkdf(ikm, salt, info), nobleSuite.hkdf(ikm, salt, info));
          same(nodeSuite.hkdf(ikm, salt, info, n), nobleSuite.hkdf(ikm, salt, info, n));
        },
      ),
    );
  });

  it('agree on X25519, for points that are on no curve and above the field too', () => {
    const point = fc.oneof(
      bytesOf(32),
      bytesOf(32).map((secret) => nodeSuite.x25519Public(secret)),
      fc.integer({ min: 0, max: 255 }).map((first) => Uint8Array.of(first, ...new Uint8Array(30).fill(255), 127)),
    );
    const outcome = (suite: CryptoSuite, secret: Uint8Array, peer: Uint8Array): string => {
      try {
        return Buffer.from(suite.x25519(secret, peer)).toString('hex');
      } catch (error) {
        return isCairnError(error) ? error.code : String(error);
      }
    };
    fc.assert(
      fc.property(bytesOf(32), point, (secret, peer) => {
        same(nodeSuite.x25519Public(secret), nobleSuite.x25519Public(secret));
        expect(outcome(nodeSuite, secret, peer)).toBe(outcome(nobleSuite, secret, peer));
      }),
    );
  });

  it('open what the other sealed, and nothing that was altered', () => {
    fc.assert(
      fc.property(
        bytesOf(32),
        bytesOf(12),
        someBytes,
        fc.array(someBytes, { maxLength: 3 }),
        fc.nat(),
        fc.nat(7),
        (key, nonce, aad, plaintext, where, bit) => {
          for (const [sealer, opener] of [SUITES, [nobleSuite, nodeSuite] as const]) {
            const sealed = sealer.encrypt(sealer.secretKey(key), nonce, aad, ...plaintext);
            const whole = Buffer.concat(plaintext);
            expect(sealed.length).toBe(whole.length + 16);
            const target = Buffer.alloc(sealed.length);
            sealer.encryptInto(sealer.secretKey(key), nonce, aad, target, ...plaintext);
            same(target, sealed);
            const openKey = opener.secretKey(key);
            same(opener.decrypt(openKey, nonce, aad, sealed), whole);
            const altered = Uint8Array.from(sealed);
            const at = where % altered.length;
            altered[at] = (altered[at] ?? 0) ^ (1 << bit);
            expect(opener.decrypt(openKey, nonce, aad, altered)).toBeUndefined();
            expect(opener.decrypt(openKey, nonce, aad, sealed.subarray(0, where % sealed.length))).toBeUndefined();
            expect(opener.decrypt(openKey, nonce, Buffer.concat([aad, hex('00')]), sealed)).toBeUndefined();
            const otherNonce = Uint8Array.from(nonce);
            otherNonce[where % 12] = (otherNonce[where % 12] ?? 0) ^ 1;
            expect(opener.decrypt(openKey, otherNonce, aad, sealed)).toBeUndefined();
          }
        },
      ),
    );
  });

  it('agree on argon2id', async () => {
    const parameters = fc.record({
      memoryKiB: fc.integer({ min: 32, max: 128 }),
      passes: fc.integer({ min: 1, max: 3 }),
      lanes: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(someBytes, bytesOf(32), parameters, async (passphrase, salt, kdf) => {
        same(await nodeSuite.argon2id(passphrase, salt, kdf, 64), await nobleSuite.argon2id(passphrase, salt, kdf, 64));
      }),
      { numRuns: 10 },
    );
  });

  it('do not take keys of each other', () => {
    const key = Buffer.alloc(32);
    for (const [maker, user] of [SUITES, [nobleSuite, nodeSuite] as const]) {
      expect(() => user.hmac(maker.secretKey(key))).toThrow(expect.toSatisfy((e) => isCairnError(e, 'INTERNAL')));
      expect(() => user.secretKey(key.subarray(1))).toThrow(expect.toSatisfy((e) => isCairnError(e, 'INTERNAL')));
    }
  });

  it('keep no view of a key: it may be wiped after it was taken', () => {
    for (const suite of SUITES) {
      const bytes = Buffer.alloc(32, 1);
      const key = suite.secretKey(bytes);
      const before = suite.hmac(key);
      bytes.fill(0);
      same(suite.hmac(key), before);
    }
  });
});
