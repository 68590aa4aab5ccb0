import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as openpgp from 'openpgp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deriveCapabilities, restrict } from '../crypto/capabilities.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { type ErrorCode, isCairnError } from '../errors.ts';
import { SAMPLE_KEYS, SAMPLE_REPO, SAMPLE_ROOT, seededRandom } from '../testing/sample-keys.ts';
import { encodeKeyFileText } from './key-file.ts';
import { createOpenPgpSlot, openOpenPgpSlot } from './openpgp-slot.ts';
import { encodeSlot, keyFileOfSlot, type OpenPgpSlot, parseSlot } from './slot.ts';

const random = seededRandom('openpgp');
/** A little later than the keys that the tests make, which have whole seconds. */
const NOTES = { label: 'größe', createdNs: BigInt(Date.now() + 2000) * 1_000_000n };

function coded(code: ErrorCode): unknown {
  return expect.toSatisfy((error) => isCairnError(error, code), code);
}

async function pair(
  config: openpgp.PartialConfig = {},
  passphrase?: string,
): Promise<{ readonly publicKey: string; readonly privateKey: string }> {
  return await openpgp.generateKey({
    userIDs: [{ name: 'Test' }],
    date: new Date(Date.now() - 1000),
    config,
    ...(passphrase === undefined ? {} : { passphrase }),
  });
}

describe('OpenPGP slot', () => {
  it('opens for each of its recipients and for nobody else', async () => {
    const [a, b, other] = [await pair(), await pair({}, 'pass'), await pair()];
    const made = await createOpenPgpSlot(suite, random, SAMPLE_KEYS, [a.publicKey, b.publicKey], NOTES);
    const slot = parseSlot(encodeSlot(made));
    expect(slot).toEqual(made);
    if (slot.kind !== 'openpgp') throw new Error('another kind');
    expect(slot.recipients).toHaveLength(2);
    for (const [privateKey, passphrase] of [
      [a.privateKey, undefined],
      [b.privateKey, 'pass'],
    ] as const) {
      const keyFile = await openOpenPgpSlot(suite, slot, privateKey, passphrase);
      expect(keyFile).toMatchObject(NOTES);
      expect(Buffer.from(keyFile.capabilities.root ?? [])).toEqual(SAMPLE_ROOT);
    }
    await expect(openOpenPgpSlot(suite, slot, other.privateKey)).rejects.toEqual(coded('WRONG_KEY'));
    await expect(openOpenPgpSlot(suite, slot, b.privateKey, 'pasS')).rejects.toEqual(coded('WRONG_KEY'));
    await expect(openOpenPgpSlot(suite, slot, b.privateKey)).rejects.toEqual(coded('WRONG_KEY'));
    await expect(openOpenPgpSlot(suite, slot, a.publicKey)).rejects.toEqual(coded('USAGE'));
    await expect(openOpenPgpSlot(suite, slot, 'hello')).rejects.toEqual(coded('USAGE'));
  });

  it('is of the kind that old programs read, also for a key that announces a newer one', async () => {
    const modern = await pair({ aeadProtect: true });
    const slot = await createOpenPgpSlot(suite, random, SAMPLE_KEYS, [modern.publicKey], NOTES);
    const message = await openpgp.readMessage({ armoredMessage: slot.message });
    expect(
      [...message.packets].map((packet) => [packet.constructor.name, 'version' in packet && packet.version]),
    ).toEqual([
      ['PublicKeyEncryptedSessionKeyPacket', 3],
      ['SymEncryptedIntegrityProtectedDataPacket', 1],
    ]);
    expect((await openOpenPgpSlot(suite, slot, modern.privateKey)).label).toBe(NOTES.label);
  });

  it('refuses what cannot be encrypted to', async () => {
    const make = async (...keys: readonly string[]): Promise<OpenPgpSlot> =>
      await createOpenPgpSlot(suite, random, SAMPLE_KEYS, keys, NOTES);
    const { publicKey, privateKey } = await pair();
    const short = await openpgp.generateKey({
      userIDs: [{ name: 'Old' }],
      date: new Date(Date.now() - 100_000),
      keyExpirationTime: 10,
    });
    await expect(make()).rejects.toEqual(coded('USAGE'));
    await expect(make('hello')).rejects.toEqual(coded('USAGE'));
    await expect(make(publicKey, privateKey)).rejects.toThrow(/is a private key/);
    await expect(make(short.publicKey)).rejects.toThrow(/cannot be encrypted to/);
    await expect(make((await pair({ v6Keys: true })).publicKey)).rejects.toThrow(/version 6/);
    await expect(make(publicKey, publicKey)).resolves.toMatchObject({ recipients: [expect.any(String)] });
  });

  it('takes no key that somebody else put into the message', async () => {
    const { publicKey, privateKey } = await pair();
    const evil = deriveCapabilities(suite, random.bytes(32), SAMPLE_REPO);
    const planted = await createOpenPgpSlot(suite, random, evil, [publicKey], NOTES);
    const honest = await createOpenPgpSlot(suite, random, SAMPLE_KEYS, [publicKey], NOTES);
    const exchanged = { ...honest, message: planted.message };
    await expect(openOpenPgpSlot(suite, exchanged, privateKey)).rejects.toEqual(coded('CORRUPT'));
  });

  it('does not let a small message grow without end', async () => {
    const { publicKey, privateKey } = await pair();
    const slot = await createOpenPgpSlot(suite, random, SAMPLE_KEYS, [publicKey], NOTES);
    const bomb = await openpgp.encrypt({
      message: await openpgp.createMessage({ binary: new Uint8Array(1 << 22) }),
      encryptionKeys: await openpgp.readKey({ armoredKey: publicKey }),
      config: { preferredCompressionAlgorithm: openpgp.enums.compression.zlib },
    });
    expect(bomb.length).toBeLessThan(100_000);
    await expect(openOpenPgpSlot(suite, { ...slot, message: bomb }, privateKey)).rejects.toThrow(
      expect.toSatisfy((error) => isCairnError(error, 'WRONG_KEY') && /[Mm]aximum/.test(String(error.cause))),
    );
  });

  it('is refused when its fields are not as they must be', async () => {
    const slot = await createOpenPgpSlot(suite, random, SAMPLE_KEYS, [(await pair()).publicKey], NOTES);
    const changes: Record<string, unknown>[] = [
      { recipients: [] },
      { recipients: ['xyz'] },
      { recipients: 'xyz' },
      { recipients: Array.from({ length: 65 }, () => '00'.repeat(20)) },
      { message: '' },
      { message: 'hello' },
      { message: 5 },
      { kdf: {} },
    ];
    for (const change of changes) {
      const bytes = Buffer.from(JSON.stringify({ cairn: 1, ...slot, ...change }));
      expect(() => parseSlot(bytes), JSON.stringify(change)).toThrow(coded('CORRUPT'));
    }
  });
});

const hasGpg = spawnSync('gpg', ['--version']).status === 0;

describe.runIf(hasGpg)('with GnuPG', () => {
  let home: string;

  const gpg = (args: readonly string[], input = ''): Buffer =>
    execFileSync('gpg', ['--batch', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], {
      env: { ...process.env, GNUPGHOME: home },
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
    });

  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), 'cairn-gpg-'));
    gpg(['--quick-gen-key', 'Curve <curve@example.org>', 'future-default', 'default', 'never']);
    gpg(['--quick-gen-key', 'Rsa <rsa@example.org>', 'default', 'default', 'never']);
  }, 60_000);

  afterAll(() => {
    execFileSync('gpgconf', ['--kill', 'all'], { env: { ...process.env, GNUPGHOME: home } });
    rmSync(home, { recursive: true, force: true });
  });

  it.each(['curve@example.org', 'rsa@example.org'])('%s alone gets the very text of the key file', async (name) => {
    const publicKey = gpg(['--armor', '--export', name]).toString();
    const slot = await createOpenPgpSlot(suite, random, SAMPLE_KEYS, [publicKey], NOTES);
    const opened = gpg(['--decrypt'], slot.message);
    expect(opened.equals(Buffer.from(encodeKeyFileText(suite, SAMPLE_KEYS, NOTES)))).toBe(true);
    expect(keyFileOfSlot(suite, slot, opened.toString())).toMatchObject(NOTES);
  });

  it('reads a slot for several people, all keys from one export', async () => {
    const read = restrict(SAMPLE_KEYS, 'read');
    const slot = await createOpenPgpSlot(suite, random, read, [gpg(['--armor', '--export']).toString()], NOTES);
    const known = gpg(['--with-colons', '--list-keys'])
      .toString()
      .split('\n')
      .filter((line, i, lines) => line.startsWith('fpr:') && lines[i - 1]?.startsWith('pub:'))
      .map((line) => line.split(':')[9]?.toLowerCase());
    expect(slot.recipients.toSorted()).toEqual(known.toSorted());
    expect(gpg(['--decrypt'], slot.message).toString()).toBe(encodeKeyFileText(suite, read, NOTES));
  });

  it('does not read a message that was changed', async () => {
    const publicKey = gpg(['--armor', '--export', 'curve@example.org']).toString();
    const slot = await createOpenPgpSlot(suite, random, SAMPLE_KEYS, [publicKey], NOTES);
    const lines = slot.message.split('\n');
    const middle = Math.floor(lines.length / 2);
    const line = lines[middle] ?? '';
    const changed = lines.with(middle, (line.startsWith('A') ? 'B' : 'A') + line.slice(1)).join('\n');
    expect(() => gpg(['--decrypt'], changed)).toThrow();
  });
});
