import { gearTable } from '../chunker/gear.ts';
import { cutLength, cutRule } from '../chunker/fastcdc.ts';
import { makeCutter } from '../chunker/cutter.ts';
import { deriveCapabilities, fingerprintOf, SECRET_NAMES, type Capabilities } from '../crypto/capabilities.ts';
import { ChunkIds, resumeSession, SessionOpener, type ChunkType } from '../crypto/chunk-crypto.ts';
import { invariant } from '../errors.ts';
import { decodeSegment, RECORD_BYTES } from '../index/segment.ts';
import { importKey } from '../keys/import-key.ts';
import { encodeKeyFileText, parseKeyFileText } from '../keys/key-file.ts';
import { openPassphraseSlot } from '../keys/passphrase-slot.ts';
import { passphraseBytes } from '../keys/passphrase.ts';
import { parseSlot } from '../keys/slot.ts';
import { decodeLogFrame } from '../log/entry.ts';
import { decodeLogEntry } from '../log/kinds.ts';
import { decodePackHeader, PACK_RECORD_BYTES, readPackRecord } from '../pack/layout.ts';
import { padmeLength } from '../pack/padme.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Zstd } from '../ports/zstd.ts';
import { authenticateConfig } from '../repository/config.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { contentRecords, decodeChunkList } from '../tree/content.ts';
import { readDirectory } from '../tree/directory-reader.ts';
import { decodeEntry, type TreeEntry } from '../tree/entry.ts';
import type { VectorInputs, VectorOutputs, VectorValue } from './vector-form.ts';

/** What computing a known answer takes. */
export interface VectorTools {
  readonly suite: CryptoSuite;
  readonly zstd: Zstd;
}

type Compute = (inputs: VectorInputs, tools: VectorTools) => VectorOutputs | Promise<VectorOutputs>;

/** The names that stand in labels, and those of the capabilities. */
const SECRET_OF_LABEL = new Map(
  ['id data', 'id meta', 'cdc', 'loc', 'log', 'psk', 'x25519 data', 'x25519 meta'].map((text, i) => [
    text,
    SECRET_NAMES[i],
  ]),
);

const NO_KEYS = { pkD: Buffer.alloc(32), pkM: Buffer.alloc(32) };

/** For each kind of `testkit/README.md`, the outputs that this implementation comes to. */
export const VECTOR_KINDS: Readonly<Record<string, Compute>> = {
  derivation(inputs, { suite }) {
    const name = SECRET_OF_LABEL.get(inputs.text('name'));
    invariant(name !== undefined, 'the vector names a derived key');
    return { key: deriveCapabilities(suite, inputs.bytes('root'), inputs.bytes('repo'))[name] };
  },

  'public-keys'(inputs, { suite }) {
    const keys = deriveCapabilities(suite, inputs.bytes('root'), inputs.bytes('repo'));
    return { pkD: keys.pkD, pkM: keys.pkM, fingerprint: fingerprintOf(suite, keys) };
  },

  'chunk-id'(inputs, { suite }) {
    return { id: idsOf(suite, inputs).idOf(inputs.number('type') as ChunkType, inputs.bytes('plaintext')) };
  },

  session(inputs, { suite }) {
    const name = inputs.text('class');
    invariant(name === 'data' || name === 'meta', 'a session has two classes');
    const [pk, secret] = [inputs.bytes('pk'), inputs.bytes('secret')];
    const half = name === 'data' ? { pkD: pk, skD: secret } : { pkM: pk, skM: secret };
    const keys = { ...NO_KEYS, repo: inputs.bytes('repo'), psk: inputs.bytes('psk'), ...half };
    return { session: resumeSession(suite, keys, { sid: inputs.bytes('sid'), epk: inputs.bytes('epk') })[name] };
  },

  'sealed-chunk'(inputs, { suite, zstd }) {
    const session = inputs.bytes('session');
    const secrets = { sid: inputs.bytes('sid'), epk: Buffer.alloc(32), data: session, meta: session };
    const opener = new SessionOpener(suite, zstd, idsOf(suite, inputs), inputs.bytes('repo'), secrets);
    const type = inputs.number('type') as ChunkType;
    return { plaintext: opener.open(type, inputs.bytes('id'), inputs.bytes('sealed')).plaintext };
  },

  pack(inputs, { suite }) {
    const keys = { loc: inputs.bytes('loc'), repo: inputs.bytes('repo') };
    const object = inputs.bytes('object');
    const { kind, dataStart, sessions, records } = decodePackHeader(suite, keys, object, object.length, 'the pack');
    const list = Array.from({ length: records.length / PACK_RECORD_BYTES }, (_, i) => readPackRecord(records, i));
    return {
      kind,
      dataStart,
      sessions: sessions.map(({ sid, epk }) => ({ sid, epk })),
      records: list.map(({ storedLength: storedLen, rawLength: rawLen, type, session, offset, id }) => {
        return { type, session, offset, storedLen, rawLen, id };
      }),
    };
  },

  'index-segment'(inputs, { suite }) {
    const keys = { loc: inputs.bytes('loc'), repo: inputs.bytes('repo') };
    const { packs, records } = decodeSegment(suite, keys, inputs.bytes('object'), 'the segment');
    let first = 0;
    return {
      packs: packs.map(({ name, sizeBytes: size, dataStart, kind, sessions }) => {
        const firstSession = first;
        first += sessions.length;
        return { name, size, dataStart, firstSession, sessionCount: sessions.length, kind };
      }),
      sessions: packs.flatMap(({ sessions }) => sessions.map(({ sid, epk }) => ({ sid, epk }))),
      records: Array.from({ length: records.length / RECORD_BYTES }, (_, i) => {
        const record = records.subarray(RECORD_BYTES * i);
        return {
          id: record.subarray(0, 16),
          pack: record.readUInt32LE(16),
          offset: record.readUInt32LE(20),
          storedLen: record.readUInt32LE(24),
          rawLen: record.readUInt32LE(28),
          session: record.readUInt16LE(32),
          type: record[34] ?? null,
        };
      }),
    };
  },

  'log-entry'(inputs, { suite }) {
    const frame = decodeLogFrame(suite, inputs.bytes('log'), inputs.bytes('object'), 'the entry');
    const entry = decodeLogEntry(frame.kind, frame.publicPart, frame.sealedPart, 'the entry');
    if (entry.kind === 'COMMIT') decodeEntry(entry.descriptor.root, true);
    const { kind, seq, previous, timeNs: time, publicPart, sealedPart } = frame;
    return { kind, seq, previous, time, public: publicPart, sealed: sealedPart };
  },

  async tree(inputs) {
    const stream = inputs.bytes('stream');
    const whole = await entriesOf([stream]);
    // The same in small parts: where a stream is cut must not matter.
    const parts = Array.from({ length: Math.ceil(stream.length / 7) }, (_, i) => stream.subarray(7 * i, 7 * i + 7));
    const again = await entriesOf(parts);
    invariant(again.length === whole.length, 'a stream has as many entries however it is cut');
    return { names: whole.map(({ name }) => Buffer.from(name, 'latin1')), entries: whole.map(arrayOf) };
  },

  'chunk-list'(inputs) {
    const list = inputs.bytes('list');
    const whole = list.subarray(0, list.length - (list.length % 40));
    const length = contentRecords(whole).reduce((sum, record) => sum + record.length, 0);
    const records = decodeChunkList(list, length, inputs.number('level'));
    return { records: records.map((record) => ({ id: record.id, length: record.length })) };
  },

  'key-file'(inputs, { suite }) {
    const { capabilities, fingerprint } = parseKeyFileText(suite, inputs.text('text'));
    const names = ['root', ...SECRET_NAMES] as const;
    return { capabilities: Object.fromEntries(names.map((name) => [name, capabilities[name] ?? null])), fingerprint };
  },

  'recovery-key'(inputs, { suite }) {
    const { root, repo } = importKey(suite, inputs.text('text')).capabilities;
    return { root, repo };
  },

  async 'key-slot'(inputs, { suite }) {
    const slot = parseSlot(Buffer.from(inputs.text('slot')));
    invariant(slot.kind === 'passphrase', 'the vector has a passphrase');
    const keyFile = await openPassphraseSlot(suite, slot, passphraseBytes(inputs.text('passphrase')));
    return { text: encodeKeyFileText(suite, keyFile.capabilities, keyFile) };
  },

  config(inputs, { suite }) {
    const config = authenticateConfig(suite, inputs.bytes('log'), inputs.bytes('object'));
    const { fingerprint, features, chunkerData: data, chunkerTree: tree } = config;
    const chunkers = {
      data: [data.min, data.average, data.max],
      tree: [tree.min, tree.average, tree.max],
    };
    return { fingerprint, features, chunkers };
  },

  cdc(inputs, { suite }) {
    const table = gearTable(suite, inputs.bytes('cdc'), inputs.bytes('repo'));
    const parameters = { min: inputs.number('min'), average: inputs.number('average'), max: inputs.number('max') };
    const content = seededContent(suite, inputs.bytes('seedHex'), inputs.number('length'));
    const rule = cutRule(parameters);
    const cuts: number[] = [];
    for (let at = 0; at < content.length; at += cuts.at(-1) ?? 0) {
      cuts.push(cutLength(content, at, content.length, table, rule));
    }
    const cutter = makeCutter(table, parameters, Math.max(64 * 1024, content.length));
    cutter.window().set(content);
    const ends = cutter.cut(content.length);
    invariant(
      cuts.join() === ends.map((end, i) => end - (ends[i - 1] ?? 0)).join(),
      'the engine in use cuts as the definition does',
    );
    return { table0: [...table.subarray(0, 4)], cuts };
  },

  padme: (inputs) => ({ padded: padmeLength(inputs.number('n')) }),
};

/** The id key of a vector serves both classes: which one it is follows from the type. */
function idsOf(suite: CryptoSuite, inputs: VectorInputs): ChunkIds {
  const idKey = inputs.bytes('idKey');
  const keys: Capabilities = { ...NO_KEYS, repo: Buffer.alloc(16), idData: idKey, idMeta: idKey };
  return new ChunkIds(suite, keys);
}

async function entriesOf(parts: readonly Uint8Array[]): Promise<TreeEntry[]> {
  const records = Buffer.alloc(40 * parts.length);
  parts.forEach((part, i) => {
    records.writeUInt32LE(i, 40 * i);
    records.writeBigUInt64LE(BigInt(part.length), 40 * i + 32);
  });
  const source: ChunkSource = {
    chunk: (_, id) => Promise.resolve(parts[Buffer.from(id).readUInt32LE()] ?? Buffer.alloc(0)),
  };
  const entries: TreeEntry[] = [];
  for await (const entry of readDirectory(source, { level: 0, records, length: 0 })) entries.push(entry);
  return entries;
}

/** An entry as the array that it is in the format. */
function arrayOf(entry: TreeEntry): VectorValue {
  const bin = (text: string | null): Uint8Array | null => (text === null ? null : Buffer.from(text, 'latin1'));
  return [
    bin(entry.name),
    entry.kind,
    entry.mode,
    entry.uid,
    entry.gid,
    entry.mtimeNs,
    entry.ctimeNs,
    entry.size,
    entry.inode,
    entry.user,
    entry.group,
    entry.link,
    entry.device,
    bin(entry.target),
    entry.xattrs && entry.xattrs.map(([name, value]) => [bin(name), value]),
    entry.flags,
    entry.holes,
    entry.content && [entry.content.level, entry.content.records],
    entry.state,
  ];
}

function seededContent(suite: CryptoSuite, seed: Uint8Array, length: number): Buffer {
  const blocks: Uint8Array[] = [];
  for (let i = 0; 32 * i < length; i++) {
    const number = Buffer.alloc(4);
    number.writeUInt32LE(i);
    blocks.push(suite.sha256(seed, number));
  }
  return Buffer.concat(blocks).subarray(0, length);
}
