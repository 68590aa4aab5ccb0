import type { ChunkerParameters } from '../chunker/fastcdc.ts';
import { encodeMsgpack, MsgpackReader } from '../codec/msgpack.ts';
import { fingerprintOf, type Capabilities } from '../crypto/capabilities.ts';
import { label } from '../crypto/labels.ts';
import { CairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { readChunker } from '../log/descriptor.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';

/** What the `config` object says (format page, section 4.1). */
export interface RepositoryConfig {
  readonly repo: Uint8Array;
  readonly fingerprint: Uint8Array;
  readonly createdNs: bigint;
  readonly features: readonly string[];
  readonly chunkerData: ChunkerParameters;
  readonly chunkerTree: ChunkerParameters;
}

const MAGIC = Buffer.from('CRNC', 'latin1');
const VERSION = 1;
const PREFIX_BYTES = 12;
const TAG_BYTES = 32;

function tagOf(suite: CryptoSuite, log: Uint8Array, repo: Uint8Array, bytes: Uint8Array): Uint8Array {
  return suite.hmac(suite.secretKey(suite.hkdf(log, repo, label('config'))), bytes);
}

export function encodeConfig(suite: CryptoSuite, log: Uint8Array, config: RepositoryConfig): Uint8Array {
  const { chunkerData: data, chunkerTree: tree } = config;
  const body = encodeMsgpack([
    config.repo,
    config.fingerprint,
    config.createdNs,
    config.features,
    [data.min, data.average, data.max],
    [tree.min, tree.average, tree.max],
  ]);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  MAGIC.copy(prefix);
  prefix[4] = VERSION;
  prefix.writeUInt32LE(body.length, 8);
  const bytes = Buffer.concat([prefix, body]);
  return Buffer.concat([bytes, tagOf(suite, log, config.repo, bytes)]);
}

const DAMAGED_HINT =
  'Copy it from another copy of the store: it never changes, and nothing can make it again. Other objects may be sound.';

/** Reads a config without verifying it: what can be said before there is a key. Rejects with `CORRUPT`, `FORMAT_UNSUPPORTED`. */
export function readConfig(object: Uint8Array): RepositoryConfig {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  const fail = (how: string): never => {
    throw new CairnError('CORRUPT', `the object config is damaged: ${how}`, {
      hint: DAMAGED_HINT,
    });
  };
  if (bytes.length < PREFIX_BYTES + TAG_BYTES || !bytes.subarray(0, 4).equals(MAGIC)) fail('it does not begin as one');
  if (bytes[4] !== VERSION) {
    throw new CairnError('FORMAT_UNSUPPORTED', `the repository has format version ${bytes[4]}`, {
      hint: 'Use a newer Cairn.',
    });
  }
  if (bytes.length > LIMITS.configBytes || bytes.readUInt32LE(8) !== bytes.length - PREFIX_BYTES - TAG_BYTES) {
    fail('its lengths do not fit');
  }
  if (bytes.readUIntLE(5, 3) !== 0) fail('reserved bytes are not zero');
  const reader = new MsgpackReader(bytes.subarray(PREFIX_BYTES, bytes.length - TAG_BYTES), 'the object config');
  reader.tuple(6);
  const config = {
    repo: reader.fixed(16),
    fingerprint: reader.fixed(10),
    createdNs: reader.i64(),
    features: reader.list((r) => r.str()),
    chunkerData: readChunker(reader),
    chunkerTree: readChunker(reader),
  };
  reader.finish();
  if (config.features.length > 0) {
    throw new CairnError('FORMAT_UNSUPPORTED', `the repository needs ${config.features.join(', ')}`, {
      hint: 'Use a newer Cairn.',
    });
  }
  return config;
}

/** Reads a config and verifies its tag. Rejects as `readConfig` does, and with `CORRUPT` when the tag does not fit. */
export function authenticateConfig(suite: CryptoSuite, log: Uint8Array, object: Uint8Array): RepositoryConfig {
  const config = readConfig(object);
  const end = object.length - TAG_BYTES;
  if (Buffer.compare(tagOf(suite, log, config.repo, object.subarray(0, end)), object.subarray(end)) !== 0) {
    throw new CairnError('CORRUPT', 'the object config was altered: its tag does not fit', { hint: DAMAGED_HINT });
  }
  return config;
}

/**
 * Reads a config and verifies it with the keys at hand. Rejects with `WRONG_KEY` when the keys are of another repository,
 * `CORRUPT` when the tag does not fit.
 */
export function verifyConfig(suite: CryptoSuite, keys: Capabilities, object: Uint8Array): RepositoryConfig {
  const config = readConfig(object);
  if (
    Buffer.compare(config.repo, keys.repo) !== 0 ||
    Buffer.compare(config.fingerprint, fingerprintOf(suite, keys)) !== 0
  ) {
    throw new CairnError('WRONG_KEY', 'this key belongs to another repository', {
      hint: 'Compare the fingerprint of the key with the one you wrote down for this repository.',
    });
  }
  if (keys.log === undefined) throw new CairnError('RIGHT_MISSING', 'this key cannot read the log', {});
  return authenticateConfig(suite, keys.log, object);
}
