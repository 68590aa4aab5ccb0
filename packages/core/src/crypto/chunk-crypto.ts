import { CairnError, invariant } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { CryptoSuite, SecretKey } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';
import type { Zstd } from '../ports/zstd.ts';
import type { Capabilities } from './capabilities.ts';
import { label } from './labels.ts';

/** Chunk types of the format: 1 file data, 2 tree data, 3 chunk list. */
export const CHUNK_TYPE = { data: 1, tree: 2, list: 3 } as const;
/** Number of a kind of chunk, as the format has it. */
export type ChunkType = (typeof CHUNK_TYPE)[keyof typeof CHUNK_TYPE];

/** File data is of class data; trees and chunk lists are of class meta, which a maintain key can open. */
export type ChunkClass = 'data' | 'meta';
export function chunkClass(type: ChunkType): ChunkClass {
  return type === CHUNK_TYPE.data ? 'data' : 'meta';
}

/** What a pack tells about the run that sealed a chunk. */
export interface SessionPublic {
  /** 16 random bytes. */
  readonly sid: Uint8Array;
  /** Ephemeral X25519 public key of the run. */
  readonly epk: Uint8Array;
}

/** The two session secrets of one run, 32 bytes each; a class whose secret cannot be known is absent. */
export interface SessionSecrets extends SessionPublic {
  readonly data?: Uint8Array;
  readonly meta?: Uint8Array;
}

/** A chunk that was opened, and its payload as it was sealed: compressed, when that paid. */
export interface OpenedChunk {
  readonly plaintext: Uint8Array;
  readonly codec: number;
  readonly payload: Uint8Array;
}

const CODEC_STORED = 0;
const CODEC_ZSTD = 1;
const CHUNK_LABEL = label('chunk');
const NONCE_BYTES = 12;

function sessionSecret(
  suite: CryptoSuite,
  keys: Capabilities & { readonly psk: Uint8Array },
  session: SessionPublic,
  kind: ChunkClass,
  shared: Uint8Array,
): Uint8Array {
  const pk = kind === 'data' ? keys.pkD : keys.pkM;
  const info = Buffer.concat([label(`session ${kind}`), keys.repo, session.epk, pk]);
  return suite.hkdf(Buffer.concat([shared, keys.psk]), session.sid, info);
}

/** Starts a run: fresh `sid` and ephemeral pair. The ephemeral secret is forgotten on return. Needs `psk`. */
export function startSession(suite: CryptoSuite, random: Random, keys: Capabilities): Required<SessionSecrets> {
  const { psk } = keys;
  invariant(psk !== undefined, 'the caller checked that the key may write');
  const esk = random.bytes(32);
  const session = { sid: random.bytes(16), epk: suite.x25519Public(esk) };
  const secret = (kind: ChunkClass, pk: Uint8Array): Uint8Array =>
    sessionSecret(suite, { ...keys, psk }, session, kind, suite.x25519(esk, pk));
  const secrets = { ...session, data: secret('data', keys.pkD), meta: secret('meta', keys.pkM) };
  esk.fill(0);
  return secrets;
}

/** The session secrets that can be computed for a run of the past: those whose X25519 secret is held, or only one of them. */
export function resumeSession(
  suite: CryptoSuite,
  keys: Capabilities,
  session: SessionPublic,
  only?: ChunkClass,
): SessionSecrets {
  const { psk, skD, skM } = keys;
  if (psk === undefined) return session;
  const secret = (kind: ChunkClass, sk: Uint8Array): Uint8Array =>
    sessionSecret(suite, { ...keys, psk }, session, kind, suite.x25519(sk, session.epk));
  return {
    ...session,
    ...(skD === undefined || only === 'meta' ? {} : { data: secret('data', skD) }),
    ...(skM === undefined || only === 'data' ? {} : { meta: secret('meta', skM) }),
  };
}

/** Computes chunk ids. A class whose id key is not at hand cannot be asked for. */
export class ChunkIds {
  private readonly suite: CryptoSuite;
  private readonly keys: { readonly data: SecretKey | undefined; readonly meta: SecretKey | undefined };

  constructor(suite: CryptoSuite, keys: Capabilities) {
    this.suite = suite;
    this.keys = {
      data: keys.idData && suite.secretKey(keys.idData),
      meta: keys.idMeta && suite.secretKey(keys.idMeta),
    };
  }

  /** HMAC over the type and the plaintext, 32 bytes. Rejects with `RIGHT_MISSING` without the id key of that class. */
  idOf(type: ChunkType, plaintext: Uint8Array): Uint8Array {
    const key = this.keys[chunkClass(type)];
    if (key === undefined) {
      throw new CairnError('RIGHT_MISSING', `this key cannot handle ${chunkClass(type)} chunks`, {
        hint: 'Use a read key or the root key.',
      });
    }
    return this.suite.hmac(key, TYPE_BYTE[type], plaintext);
  }
}

const TYPE_BYTE: Readonly<Record<ChunkType, Uint8Array>> = {
  1: Uint8Array.of(1),
  2: Uint8Array.of(2),
  3: Uint8Array.of(3),
};

/** Additional data of every chunk of one session; the caller fills in type and id. */
function chunkAad(repo: Uint8Array, sid: Uint8Array): Buffer {
  return Buffer.concat([CHUNK_LABEL, repo, sid, Buffer.alloc(33)]);
}

interface ClassKeys {
  readonly data: SecretKey | undefined;
  readonly meta: SecretKey | undefined;
}

function classKeys(suite: CryptoSuite, secrets: SessionSecrets): ClassKeys {
  return {
    data: secrets.data && suite.secretKey(secrets.data),
    meta: secrets.meta && suite.secretKey(secrets.meta),
  };
}

/** Compresses and seals the chunks of one run. */
export class ChunkSealer {
  readonly session: SessionPublic;
  private readonly suite: CryptoSuite;
  private readonly random: Random;
  private readonly zstd: Zstd;
  private readonly level: number;
  private readonly keys: ClassKeys;
  private readonly aad: Buffer;
  private readonly prefix = Buffer.alloc(5);

  constructor(
    suite: CryptoSuite,
    random: Random,
    zstd: Zstd,
    level: number,
    repo: Uint8Array,
    secrets: SessionSecrets,
  ) {
    this.suite = suite;
    this.random = random;
    this.zstd = zstd;
    this.level = level;
    this.session = secrets;
    this.keys = classKeys(suite, secrets);
    this.aad = chunkAad(repo, secrets.sid);
  }

  /**
   * Seals a chunk into memory that `reserve` gives for its length: nonce ‖ AEAD of (codec, length, payload). Stored plain
   * when zstd saves less than 1/64.
   * @param packed the payload, when somebody has made it of that plaintext before.
   */
  seal(
    type: ChunkType,
    id: Uint8Array,
    plaintext: Uint8Array,
    reserve: (bytes: number) => Uint8Array,
    packed: Omit<OpenedChunk, 'plaintext'> = this.pack(plaintext),
  ): void {
    invariant(plaintext.length >= 1 && plaintext.length <= LIMITS.chunkBytes, 'a chunk is 1 byte to the limit');
    const key = this.keys[chunkClass(type)];
    invariant(key !== undefined, 'a writing session has both secrets');
    const { codec, payload } = packed;
    this.prefix[0] = codec;
    this.prefix.writeUInt32LE(plaintext.length, 1);
    const nonce = this.random.bytes(NONCE_BYTES);
    const chunkKey = this.suite.secretKey(this.suite.hmac(key, CHUNK_LABEL, TYPE_BYTE[type], id), 'once');
    const aad = fillAad(this.aad, type, id);
    const target = reserve(LIMITS.sealOverheadBytes + payload.length);
    target.set(nonce);
    this.suite.encryptInto(chunkKey, nonce, aad, target.subarray(NONCE_BYTES), this.prefix, payload);
  }

  private pack(plaintext: Uint8Array): Omit<OpenedChunk, 'plaintext'> {
    const compressed = this.zstd.compress(plaintext, this.level);
    const pays = compressed.length < plaintext.length - (plaintext.length >> 6);
    return pays ? { codec: CODEC_ZSTD, payload: compressed } : { codec: CODEC_STORED, payload: plaintext };
  }
}

function fillAad(aad: Buffer, type: ChunkType, id: Uint8Array): Buffer {
  aad[aad.length - 33] = type;
  aad.set(id, aad.length - 32);
  return aad;
}

/** Opens chunks of one session whose secrets are known. */
export class SessionOpener {
  private readonly suite: CryptoSuite;
  private readonly zstd: Zstd;
  private readonly ids: ChunkIds;
  private readonly keys: ClassKeys;
  private readonly aad: Buffer;

  constructor(suite: CryptoSuite, zstd: Zstd, ids: ChunkIds, repo: Uint8Array, secrets: SessionSecrets) {
    this.suite = suite;
    this.zstd = zstd;
    this.ids = ids;
    this.keys = classKeys(suite, secrets);
    this.aad = chunkAad(repo, secrets.sid);
  }

  /** As `ChunkOpener.openPacked`. */
  open(type: ChunkType, id: Uint8Array, sealed: Uint8Array): OpenedChunk {
    const key = this.keys[chunkClass(type)];
    if (key === undefined) {
      const what = chunkClass(type) === 'data' ? 'file contents' : 'trees';
      throw new CairnError('RIGHT_MISSING', `this key cannot open ${what}`, {
        hint: 'Use a read key or the root key.',
      });
    }
    if (sealed.length < LIMITS.sealOverheadBytes) throw damaged(id, 'it is too short');
    const chunkKey = this.suite.secretKey(this.suite.hmac(key, CHUNK_LABEL, TYPE_BYTE[type], id), 'once');
    const opened = this.suite.decrypt(
      chunkKey,
      sealed.subarray(0, NONCE_BYTES),
      fillAad(this.aad, type, id),
      sealed.subarray(NONCE_BYTES),
    );
    if (opened === undefined) throw damaged(id, 'it does not authenticate');
    const codec = opened[0] as number;
    const payload = opened.subarray(5);
    const plaintext = this.unpack(opened, codec, payload);
    if (plaintext === undefined) throw damaged(id, 'it does not decompress to a length that it may have');
    if (Buffer.compare(this.ids.idOf(type, plaintext), id) !== 0) {
      throw damaged(id, 'its content is not what its id says');
    }
    return { plaintext, codec, payload };
  }

  private unpack(opened: Uint8Array, codec: number, payload: Uint8Array): Uint8Array | undefined {
    const view = Buffer.from(opened.buffer, opened.byteOffset, opened.byteLength);
    const rawLength = view.readUInt32LE(1);
    if (rawLength < 1 || rawLength > LIMITS.chunkBytes) return undefined;
    if (codec === CODEC_ZSTD) return this.zstd.decompress(payload, rawLength);
    return codec === CODEC_STORED && payload.length === rawLength ? payload : undefined;
  }
}

/** Opens chunks of any session, keeping the session secrets it computed: of each class when it is first met. */
export class ChunkOpener {
  private readonly suite: CryptoSuite;
  private readonly zstd: Zstd;
  private readonly capabilities: Capabilities;
  private readonly ids: ChunkIds;
  private readonly sessions = new Map<string, SessionOpener>();

  constructor(suite: CryptoSuite, zstd: Zstd, capabilities: Capabilities) {
    this.suite = suite;
    this.zstd = zstd;
    this.capabilities = capabilities;
    this.ids = new ChunkIds(suite, capabilities);
  }

  /**
   * The plaintext of a sealed chunk, in memory of its own; its id was recomputed.
   * Rejects with `CORRUPT` when it does not open or is not the chunk asked for, with `RIGHT_MISSING` when the key cannot
   * open this class.
   */
  open(type: ChunkType, id: Uint8Array, session: SessionPublic, sealed: Uint8Array): Uint8Array {
    return this.openPacked(type, id, session, sealed).plaintext;
  }

  /** As `open`, together with the payload as it was sealed: whoever seals the chunk anew need not compress it again. */
  openPacked(type: ChunkType, id: Uint8Array, session: SessionPublic, sealed: Uint8Array): OpenedChunk {
    const kind = chunkClass(type);
    const name = kind + Buffer.concat([session.sid, session.epk]).toString('latin1');
    let opener = this.sessions.get(name);
    if (opener === undefined) {
      const { suite, zstd, ids, capabilities } = this;
      const secrets = resumeSession(suite, capabilities, { sid: session.sid, epk: session.epk }, kind);
      opener = new SessionOpener(suite, zstd, ids, capabilities.repo, secrets);
      this.sessions.set(name, opener);
    }
    return opener.open(type, id, sealed);
  }
}

function damaged(id: Uint8Array, how: string): CairnError {
  return new CairnError('CORRUPT', `chunk ${Buffer.from(id).toString('hex').slice(0, 16)} is damaged: ${how}`, {
    hint: 'Run `cairn check --data` to see which archives need it.',
  });
}
