import { beforeAll, describe, expect, it } from 'vitest';

import { CairnError, invariant } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Zstd } from '../ports/zstd.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { refusal } from '../testing/refusals.ts';
import { SAMPLE_KEYS, SAMPLE_REPO, seededRandom } from '../testing/sample-keys.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { loadZstd } from '../zstd/load.ts';
import { restrict, type Capabilities } from './capabilities.ts';
import {
  chunkClass,
  ChunkIds,
  ChunkOpener,
  ChunkSealer,
  resumeSession,
  startSession,
  type ChunkType,
  type SessionSecrets,
} from './chunk-crypto.ts';
import { label } from './labels.ts';
import { nobleSuite } from './noble-suite.ts';
import { nodeSuite } from './node-suite.ts';

const random = seededRandom('chunk crypto');
const IDS = new ChunkIds(nodeSuite, SAMPLE_KEYS);
const TYPES: readonly ChunkType[] = [1, 2, 3];
const TEXT = Buffer.from('a line of text that comes again and again\n'.repeat(20));
let zstd: Zstd;
beforeAll(async () => {
  zstd = await loadZstd();
});

function sealed(
  type: ChunkType,
  plaintext: Uint8Array,
  session: SessionSecrets,
  suite: CryptoSuite = nodeSuite,
): Buffer {
  const sealer = new ChunkSealer(suite, random, zstd, 3, SAMPLE_REPO, session);
  let target: Buffer | undefined;
  sealer.seal(type, IDS.idOf(type, plaintext), plaintext, (bytes) => (target = Buffer.alloc(bytes)));
  invariant(target !== undefined, 'the sealer asked for memory');
  return target;
}

const opener = (keys: Capabilities = SAMPLE_KEYS, suite: CryptoSuite = nodeSuite): ChunkOpener =>
  new ChunkOpener(suite, zstd, keys);

/** A chunk as only a run's own program could make it: any codec, length and payload under a good seal. */
function forged(
  session: SessionSecrets,
  id: Uint8Array,
  codec: number,
  rawLength: number,
  payload: Uint8Array,
): Buffer {
  invariant(session.data !== undefined, 'a running session has both secrets');
  const key = nodeSuite.hmac(nodeSuite.secretKey(session.data), label('chunk'), Uint8Array.of(1), id);
  const aad = Buffer.concat([label('chunk'), SAMPLE_REPO, session.sid, Uint8Array.of(1), id]);
  const head = Buffer.alloc(5);
  head[0] = codec;
  head.writeUInt32LE(rawLength, 1);
  const nonce = random.bytes(12);
  return Buffer.concat([nonce, nodeSuite.encrypt(nodeSuite.secretKey(key), nonce, aad, head, payload)]);
}

describe('chunks', () => {
  it('open as they were sealed, by either suite', () => {
    const session = startSession(nodeSuite, random, SAMPLE_KEYS);
    for (const type of TYPES) {
      for (const plaintext of [Buffer.of(0), TEXT, pseudoRandomBytes('chunk', 5000), Buffer.alloc(100_000)]) {
        const id = IDS.idOf(type, plaintext);
        for (const [by, from] of [
          [nodeSuite, nodeSuite],
          [nodeSuite, nobleSuite],
          [nobleSuite, nodeSuite],
        ] as const) {
          const bytes = sealed(type, plaintext, session, by);
          const { sid, epk } = session;
          expect(Buffer.compare(opener(SAMPLE_KEYS, from).open(type, id, { sid, epk }, bytes), plaintext)).toBe(0);
        }
      }
    }
  });

  it('are compressed when that pays, and grow by what sealing adds otherwise', () => {
    const session = startSession(nodeSuite, random, SAMPLE_KEYS);
    const noise = pseudoRandomBytes('noise', 10_000);
    expect(sealed(1, noise, session).length).toBe(noise.length + LIMITS.sealOverheadBytes);
    expect(sealed(1, Buffer.of(1), session).length).toBe(1 + LIMITS.sealOverheadBytes);
    expect(sealed(1, TEXT, session).length).toBeLessThan(TEXT.length / 4);
  });

  it('of the longest length open', () => {
    const session = startSession(nodeSuite, random, SAMPLE_KEYS);
    const longest = pseudoRandomBytes('longest', LIMITS.chunkBytes);
    const id = IDS.idOf(1, longest);
    expect(Buffer.compare(opener().open(1, id, session, sealed(1, longest, session)), longest)).toBe(0);
  });

  it('have an id that depends on the class key, the type and every byte', () => {
    const ids = TYPES.map((type) => Buffer.from(IDS.idOf(type, TEXT)).toString('hex'));
    expect(new Set(ids).size).toBe(3);
    const { idData, idMeta } = SAMPLE_KEYS;
    invariant(idData !== undefined && idMeta !== undefined, 'a root key has everything');
    for (const type of TYPES) {
      const key = nodeSuite.secretKey(chunkClass(type) === 'data' ? idData : idMeta);
      expect(ids[type - 1]).toBe(
        Buffer.from(nodeSuite.hmac(key, Buffer.concat([Uint8Array.of(type), TEXT]))).toString('hex'),
      );
    }
  });

  it('do not open after any change', () => {
    const session = startSession(nodeSuite, random, SAMPLE_KEYS);
    const plaintext = Buffer.from('short');
    const id = IDS.idOf(1, plaintext);
    const open = opener();
    for (const { what, bytes } of mutationsOf(sealed(1, plaintext, session))) {
      expect(
        refusal(() => open.open(1, id, session, bytes)),
        what,
      ).toBe('CORRUPT');
    }
  });

  it('do not open as another chunk: type, id, session and repository are bound', () => {
    const running = startSession(nodeSuite, random, SAMPLE_KEYS);
    const session = { sid: running.sid, epk: running.epk };
    const bytes = sealed(2, TEXT, running);
    const id = IDS.idOf(2, TEXT);
    const other = startSession(nodeSuite, random, SAMPLE_KEYS);
    expect(refusal(() => opener().open(2, id, session, bytes))).toBe('accepted');
    expect(refusal(() => opener().open(3, id, session, bytes))).toBe('CORRUPT');
    expect(refusal(() => opener().open(2, IDS.idOf(2, Buffer.of(1)), session, bytes))).toBe('CORRUPT');
    expect(refusal(() => opener().open(2, id, { sid: other.sid, epk: other.epk }, bytes))).toBe('CORRUPT');
    expect(refusal(() => opener().open(2, id, { ...session, sid: other.sid }, bytes))).toBe('CORRUPT');
    expect(refusal(() => opener().open(2, id, { ...session, epk: other.epk }, bytes))).toBe('CORRUPT');
    const repo = Buffer.alloc(16, 1);
    expect(refusal(() => opener({ ...SAMPLE_KEYS, repo }).open(2, id, session, bytes))).toBe('CORRUPT');
    // Told that it is file data, by an index that lies: the class of another key pair.
    expect(refusal(() => opener().open(1, id, session, bytes))).toBe('CORRUPT');
  });

  it('of a hostile writer yield nothing but their own content', () => {
    const session = startSession(nodeSuite, random, SAMPLE_KEYS);
    const id = IDS.idOf(1, TEXT);
    const frame = Buffer.from(zstd.compress(TEXT, 3));
    const open = (codec: number, rawLength: number, payload: Uint8Array): string =>
      refusal(() => opener().open(1, id, session, forged(session, id, codec, rawLength, payload)));
    expect(open(0, TEXT.length, TEXT)).toBe('accepted');
    expect(open(1, TEXT.length, frame)).toBe('accepted');
    const other = Buffer.from(TEXT);
    other[5] = 0;
    const bad: readonly (readonly [string, number, number, Uint8Array])[] = [
      ['a shorter length', 0, TEXT.length - 1, TEXT],
      ['a longer length', 0, TEXT.length + 1, TEXT],
      ['another content', 0, TEXT.length, other],
      ['another content, compressed', 1, TEXT.length, Buffer.from(zstd.compress(other, 3))],
      ['nothing', 0, 0, Buffer.alloc(0)],
      ['nothing, compressed', 1, 0, Buffer.from(zstd.compress(Buffer.alloc(0), 3))],
      ['a compressed length that is too short', 1, TEXT.length - 1, frame],
      ['a compressed length that is too long', 1, TEXT.length + 1, frame],
      ['an unknown codec', 2, TEXT.length, TEXT],
      ['stored bytes said to be compressed', 1, TEXT.length, TEXT],
      ['a frame with bytes after it', 1, TEXT.length, Buffer.concat([frame, Buffer.of(0)])],
      ['a frame that is cut', 1, TEXT.length, frame.subarray(0, -1)],
      ['two frames', 1, 2 * TEXT.length, Buffer.concat([frame, frame])],
      ['no frame', 1, TEXT.length, Buffer.alloc(0)],
      ['a bomb', 1, TEXT.length, Buffer.from(zstd.compress(Buffer.alloc(64 * 1024 * 1024), 3))],
      ['a length beyond the limit', 1, 0xffff_ffff, frame],
    ];
    for (const [what, codec, rawLength, payload] of bad) expect(open(codec, rawLength, payload), what).toBe('CORRUPT');
  });
});

describe('sessions', () => {
  it('are computed again by who holds the secret halves, and by nobody else', () => {
    const session = startSession(nodeSuite, random, SAMPLE_KEYS);
    const secret = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex');
    for (const suite of [nodeSuite, nobleSuite]) {
      const { sid, epk } = session;
      const resumed = (rights: 'root' | 'read' | 'maintain' | 'write'): (string | undefined)[] => {
        const secrets = resumeSession(suite, restrict(SAMPLE_KEYS, rights), { sid, epk });
        return [secret(secrets.data), secret(secrets.meta)];
      };
      expect(resumed('root')).toEqual([secret(session.data), secret(session.meta)]);
      expect(resumed('read')).toEqual(resumed('root'));
      expect(resumed('maintain')).toEqual([undefined, secret(session.meta)]);
      expect(resumed('write')).toEqual([undefined, undefined]);
    }
    expect(secret(session.data)).not.toBe(secret(session.meta));
  });

  it('have no secret in common, nor with any key of the repository', () => {
    const seen = new Set<string>();
    const own = Object.values(SAMPLE_KEYS).map((value: Uint8Array) => Buffer.from(value).toString('hex'));
    for (let i = 0; i < 20; i++) {
      const { sid, epk, data, meta } = startSession(nodeSuite, random, SAMPLE_KEYS);
      for (const bytes of [sid, epk, data, meta]) seen.add(Buffer.from(bytes).toString('hex'));
    }
    expect(seen.size).toBe(80);
    for (const key of own) expect(seen.has(key)).toBe(false);
  });

  it('of a low-order public key are refused, not computed', () => {
    const session = { sid: random.bytes(16), epk: Buffer.alloc(32) };
    expect(refusal(() => opener().open(1, IDS.idOf(1, TEXT), session, Buffer.alloc(100)))).toBe('CORRUPT');
  });
});

describe('rights', () => {
  const attempt = (keys: Capabilities, type: ChunkType): string => {
    const session = startSession(nodeSuite, random, SAMPLE_KEYS);
    try {
      const { sid, epk } = session;
      opener(keys).open(type, IDS.idOf(type, TEXT), { sid, epk }, sealed(type, TEXT, session));
      return 'opened';
    } catch (error) {
      return error instanceof CairnError ? error.code : String(error);
    }
  };

  it('open what they are for', () => {
    for (const [rights, data, meta] of [
      ['root', 'opened', 'opened'],
      ['read', 'opened', 'opened'],
      ['maintain', 'RIGHT_MISSING', 'opened'],
      ['write', 'RIGHT_MISSING', 'RIGHT_MISSING'],
    ] as const) {
      const keys = restrict(SAMPLE_KEYS, rights);
      expect(
        [1, 2, 3].map((type) => attempt(keys, type as ChunkType)),
        rights,
      ).toEqual([data, meta, meta]);
    }
  });

  it('of a writer seal for readers, and leave nothing with which the writer could read', () => {
    const writer = restrict(SAMPLE_KEYS, 'write');
    const session = startSession(nodeSuite, random, writer);
    const bytes = sealed(1, TEXT, session);
    const id = IDS.idOf(1, TEXT);
    const { sid, epk } = session;
    expect(refusal(() => opener(restrict(SAMPLE_KEYS, 'read')).open(1, id, { sid, epk }, bytes))).toBe('accepted');
    // Whatever 32 bytes that host keeps, tried as the session secret.
    const kept = Object.values(writer).filter((value: Uint8Array) => value.length === 32);
    const aad = Buffer.concat([label('chunk'), SAMPLE_REPO, sid, Uint8Array.of(1), id]);
    for (const secret of [...kept, epk, nodeSuite.sha256(sid, epk)]) {
      const key = nodeSuite.hmac(nodeSuite.secretKey(secret), label('chunk'), Uint8Array.of(1), id);
      for (const candidate of [key, secret]) {
        const plain = nodeSuite.decrypt(nodeSuite.secretKey(candidate), bytes.subarray(0, 12), aad, bytes.subarray(12));
        expect(plain).toBeUndefined();
      }
    }
  });

  it('without an id key cannot be asked for ids of that class', () => {
    const ids = new ChunkIds(nodeSuite, restrict(SAMPLE_KEYS, 'maintain'));
    expect(Buffer.compare(ids.idOf(2, TEXT), IDS.idOf(2, TEXT))).toBe(0);
    expect(() => ids.idOf(1, TEXT)).toThrow(/data chunks/);
  });
});
