import { MsgpackReader, MsgpackWriter } from '../codec/msgpack.ts';
import { type Capabilities, deriveCapabilities, describeRights, fingerprintOf } from '../crypto/capabilities.ts';
import { label as domain } from '../crypto/labels.ts';
import { CairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { formatFingerprint } from './fingerprint.ts';
import { timeText } from './time-text.ts';
import { wipe } from './wipe.ts';

const BEGIN = '-----BEGIN CAIRN KEY-----';
const END = '-----END CAIRN KEY-----';

const VERSION = 1;
const FIELDS = 15;
const CHECK_BYTES = 8;
const BODY_LINE = 64;

/** The capabilities in the order of the key file's bytes (format page, section 3). */
const ORDER = ['root', 'skD', 'skM', 'pkD', 'pkM', 'psk', 'idData', 'idMeta', 'cdc', 'loc', 'log'] as const;

/** Control characters and lone surrogates: a label is shown to people, and must survive UTF-8. */
const UNFIT = /[\p{Cc}\p{Cs}]/u;

/** What a key file says besides its capabilities. */
export interface KeyFileNotes {
  /** Free text of its owner; no control characters. */
  readonly label: string;
  /** Nanoseconds since 1970. */
  readonly createdNs: bigint;
}

/** A key file that was read. */
export interface KeyFile extends KeyFileNotes {
  /** Everything it holds; all that follows from the root key when it holds that. */
  readonly capabilities: Capabilities;
  readonly fingerprint: Uint8Array;
}

/**
 * A key file as text (format page, section 3). Where the root key is present only that is written. Rejects with `USAGE`
 * for an unfit label, and with `LIMIT_EXCEEDED` when the text would be longer than a key file may be.
 */
export function encodeKeyFileText(suite: CryptoSuite, capabilities: Capabilities, notes: KeyFileNotes): string {
  const bytes = encodeBytes(capabilities, notes);
  const whole = Buffer.concat([bytes, checkOf(suite, bytes)]);
  const lines = [
    BEGIN,
    `rights: ${describeRights(capabilities)}`,
    `repository: ${toHex(capabilities.repo)}`,
    `fingerprint: ${formatFingerprint(fingerprintOf(suite, capabilities))}`,
    `created: ${timeText(notes.createdNs)}`,
    '',
    ...(whole.toString('base64').match(new RegExp(`.{1,${BODY_LINE}}`, 'g')) ?? []),
    END,
    '',
  ];
  wipe(bytes, whole);
  const text = lines.join('\n');
  if (text.length > LIMITS.keyFileBytes) {
    throw new CairnError('LIMIT_EXCEEDED', `the key file would be longer than ${LIMITS.keyFileBytes} bytes`, {
      hint: 'Use a shorter label.',
    });
  }
  return text;
}

function encodeBytes(capabilities: Capabilities, notes: KeyFileNotes): Buffer {
  if (UNFIT.test(notes.label)) {
    throw new CairnError('USAGE', 'the label of a key has a control character or a broken character in it');
  }
  // Room for everything at once: a writer that grows leaves the secrets behind in the buffer it gives up.
  const writer = new MsgpackWriter(1024 + Buffer.byteLength(notes.label));
  writer.array(FIELDS);
  writer.int(VERSION);
  writer.bin(capabilities.repo);
  for (const name of ORDER) {
    const derived = capabilities.root !== undefined && name !== 'root' && name !== 'pkD' && name !== 'pkM';
    const value = derived ? undefined : capabilities[name];
    if (value === undefined) writer.nil();
    else writer.bin(value);
  }
  writer.int64(notes.createdNs);
  writer.str(notes.label);
  return writer.view();
}

/**
 * Reads a key file's text; whatever stands outside its BEGIN and END lines does not count. Rejects with `USAGE` when there
 * is not exactly one key file in it, with `FORMAT_UNSUPPORTED` for another version, and with `CORRUPT`, naming the line
 * where there is one to name, when it is damaged or contradicts itself.
 */
export function parseKeyFileText(suite: CryptoSuite, text: string): KeyFile {
  if (Buffer.byteLength(text) > LIMITS.keyFileBytes) {
    throw new CairnError('LIMIT_EXCEEDED', `the key file is longer than ${LIMITS.keyFileBytes} bytes`);
  }
  const lines = text.split(/\r\n|\r|\n/).map((line) => line.trim());
  const { header, body } = locate(lines);
  const whole = decodeBody(lines, body.from, body.to);
  try {
    const bytes = whole.subarray(0, Math.max(0, whole.length - CHECK_BYTES));
    if (whole.length < CHECK_BYTES || !whole.subarray(bytes.length).equals(checkOf(suite, bytes))) {
      throw damaged('its checksum does not fit');
    }
    const keyFile = decodeBytes(suite, bytes);
    checkHeader(lines, header.from, header.to, toHex(keyFile.capabilities.repo));
    return keyFile;
  } finally {
    wipe(whole);
  }
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Line positions of the lines for people and of the body. */
function locate(lines: readonly string[]): { readonly header: Range; readonly body: Range } {
  const begins = lines.filter((line) => line === BEGIN).length;
  if (begins !== 1) {
    throw new CairnError(
      'USAGE',
      begins === 0 ? 'this text holds no key file' : `this text holds ${begins} key files`,
      {
        hint: `A key file begins with the line ${BEGIN} and ends with ${END}; give one.`,
      },
    );
  }
  const begin = lines.indexOf(BEGIN);
  const end = lines.indexOf(END, begin);
  if (end === -1) throw damaged(`the line ${END} is missing: it is cut off`);
  const blank = lines.indexOf('', begin);
  if (blank === -1 || blank > end) throw damaged('the empty line before the key is missing', begin + 2);
  return { header: { from: begin + 1, to: blank }, body: { from: blank + 1, to: end } };
}

function decodeBody(lines: readonly string[], from: number, to: number): Buffer {
  for (let i = from; i < to; i++) {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(lines[i] ?? '')) throw damaged('it has a character that is not base64', i + 1);
  }
  const base64 = lines.slice(from, to).join('');
  const whole = Buffer.from(base64, 'base64');
  if (whole.toString('base64') !== base64) throw damaged('its base64 is cut off or has something inserted');
  return whole;
}

function checkHeader(lines: readonly string[], from: number, to: number, repository: string): void {
  for (let i = from; i < to; i++) {
    const said = /^repository:\s*(.*)$/i.exec(lines[i] ?? '')?.[1];
    if (said !== undefined && said.toLowerCase() !== repository) {
      throw damaged('the repository in this line is not the one that the key is for', i + 1);
    }
  }
}

function checkOf(suite: CryptoSuite, bytes: Uint8Array): Uint8Array {
  return suite.sha256(domain('key file'), bytes).subarray(0, CHECK_BYTES);
}

function decodeBytes(suite: CryptoSuite, bytes: Uint8Array): KeyFile {
  const reader = new MsgpackReader(bytes, 'the key file');
  const fields = reader.array();
  const version = reader.uint();
  if (version !== VERSION) {
    throw new CairnError('FORMAT_UNSUPPORTED', `the key file has version ${version}; this program reads ${VERSION}`, {
      hint: 'Use a newer program.',
    });
  }
  if (fields !== FIELDS) reader.fail(`it has ${fields} fields, not ${FIELDS}`);
  const repo = reader.fixed(16);
  const found: Partial<Record<(typeof ORDER)[number], Uint8Array>> = {};
  for (const name of ORDER) {
    if (!reader.nil()) found[name] = reader.fixed(32);
  }
  const createdNs = reader.i64();
  const label = reader.str();
  reader.finish();
  const { pkD, pkM, root, ...secrets } = found;
  if (pkD === undefined || pkM === undefined) return reader.fail('a public key is missing');
  if (root !== undefined && Object.keys(secrets).length > 0) reader.fail('it holds the root key and derived keys');
  const capabilities = root === undefined ? { repo, pkD, pkM, ...secrets } : deriveCapabilities(suite, root, repo);
  // Without this, a key file could show the fingerprint of one repository and hold the secrets of another.
  const own = root === undefined ? publicHalves(suite, secrets) : capabilities;
  for (const [derived, told] of [
    [own.pkD, pkD],
    [own.pkM, pkM],
  ] as const) {
    if (derived !== undefined && Buffer.compare(derived, told) !== 0) {
      throw damaged('its public keys do not belong to its secret keys');
    }
  }
  return { capabilities, label, createdNs, fingerprint: fingerprintOf(suite, capabilities) };
}

function publicHalves(
  suite: CryptoSuite,
  { skD, skM }: Pick<Partial<Capabilities>, 'skD' | 'skM'>,
): { readonly pkD: Uint8Array | undefined; readonly pkM: Uint8Array | undefined } {
  return { pkD: skD && suite.x25519Public(skD), pkM: skM && suite.x25519Public(skM) };
}

function damaged(reason: string, line?: number): CairnError {
  const where = line === undefined ? '' : `, line ${line}`;
  return new CairnError('CORRUPT', `the key file does not read${where}: ${reason}`, {
    hint: 'Take another copy of it, or the recovery key.',
    ...(line === undefined ? {} : { details: { line } }),
  });
}
