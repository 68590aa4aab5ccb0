import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { restrict } from '../crypto/capabilities.ts';
import { type ErrorCode, isCairnError } from '../errors.ts';
import { encodeKeyFileText } from '../keys/key-file.ts';
import { LIMITS } from '../limits.ts';
import { createPassphraseSlot } from '../keys/passphrase-slot.ts';
import { cheapSuite, SAMPLE_KEYS, SAMPLE_TIME_NS, seededRandom } from '../testing/sample-keys.ts';
import {
  createKeyFile,
  createSlotFile,
  readKeyFile,
  readKeyOrSlot,
  replaceKeyFile,
  replaceSlotFile,
} from './key-file-store.ts';

const ROOT = encodeKeyFileText(suite, SAMPLE_KEYS, { label: 'root', createdNs: SAMPLE_TIME_NS });
const WRITE = encodeKeyFileText(suite, restrict(SAMPLE_KEYS, 'write'), { label: 'write', createdNs: SAMPLE_TIME_NS });

function coded(code: ErrorCode): unknown {
  return expect.toSatisfy((error) => isCairnError(error, code), code);
}

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-key-'));
  path = join(directory, 'root.key');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('key files on disk', () => {
  it('are created for their owner only, and read back', async () => {
    const mask = process.umask(0);
    try {
      await createKeyFile(suite, path, ROOT);
    } finally {
      process.umask(mask);
    }
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).toBe(ROOT);
    const { keyFile, warning } = await readKeyFile(suite, path);
    expect(keyFile.label).toBe('root');
    expect(warning).toBeUndefined();
  });

  it('are never overwritten by a new one', async () => {
    await createKeyFile(suite, path, ROOT);
    await expect(createKeyFile(suite, path, WRITE)).rejects.toEqual(coded('TARGET_EXISTS'));
    const link = join(directory, 'link');
    symlinkSync(join(directory, 'nowhere'), link);
    await expect(createKeyFile(suite, link, WRITE)).rejects.toEqual(coded('TARGET_EXISTS'));
    expect(readFileSync(path, 'utf8')).toBe(ROOT);
    expect(readdirSync(directory).sort()).toEqual(['link', 'root.key']);
  });

  it('are replaced whole, through a link as well', async () => {
    await createKeyFile(suite, path, ROOT);
    chmodSync(path, 0o644);
    await replaceKeyFile(suite, path, WRITE);
    expect(readFileSync(path, 'utf8')).toBe(WRITE);
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    const elsewhere = join(directory, 'elsewhere');
    mkdirSync(elsewhere);
    const link = join(elsewhere, 'link');
    symlinkSync(path, link);
    await replaceKeyFile(suite, link, ROOT);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe(ROOT);
    expect(readdirSync(directory).sort()).toEqual(['elsewhere', 'root.key']);
    expect(readdirSync(elsewhere)).toEqual(['link']);
  });

  it('are not replaced by what is no key, nor where there is none', async () => {
    await createKeyFile(suite, path, ROOT);
    await expect(replaceKeyFile(suite, path, WRITE.slice(0, -40))).rejects.toEqual(coded('CORRUPT'));
    await expect(replaceKeyFile(suite, path, '')).rejects.toEqual(coded('USAGE'));
    await expect(createKeyFile(suite, join(directory, 'new'), 'hello')).rejects.toEqual(coded('USAGE'));
    await expect(replaceKeyFile(suite, join(directory, 'absent'), ROOT)).rejects.toEqual(coded('TARGET_FAILED'));
    await expect(createKeyFile(suite, join(directory, 'no', 'such'), ROOT)).rejects.toEqual(coded('TARGET_FAILED'));
    expect(readFileSync(path, 'utf8')).toBe(ROOT);
    expect(readdirSync(directory)).toEqual(['root.key']);
  });

  it.each([0o640, 0o604, 0o620, 0o601])('warn when others can get at them: mode %o', async (mode) => {
    await createKeyFile(suite, path, ROOT);
    chmodSync(path, mode);
    const { keyFile, warning } = await readKeyFile(suite, path);
    expect(keyFile.label).toBe('root');
    expect(warning).toContain(path);
    expect(warning).toContain(`0${mode.toString(8)}`);
  });

  it('say which file is wrong when they cannot be read', async () => {
    writeFileSync(path, ROOT.replace('w', 'x'), { mode: 0o600 });
    const damaged = readKeyFile(suite, path);
    await expect(damaged).rejects.toEqual(coded('CORRUPT'));
    await expect(damaged).rejects.toThrow(path);
    writeFileSync(path, 'x'.repeat(LIMITS.keyFileBytes + 1));
    await expect(readKeyFile(suite, path)).rejects.toEqual(coded('LIMIT_EXCEEDED'));
    writeFileSync(path, 'hello');
    await expect(readKeyFile(suite, path)).rejects.toEqual(coded('USAGE'));
    await expect(readKeyFile(suite, join(directory, 'absent'))).rejects.toThrow(/absent: ENOENT/);
    await expect(readKeyFile(suite, directory)).rejects.toEqual(coded('USAGE'));
  });
});

describe('key slots on disk', () => {
  const slotOf = (seed: string) =>
    createPassphraseSlot(cheapSuite(), seededRandom(seed), SAMPLE_KEYS, Buffer.from('words'), {
      label: seed,
      createdNs: SAMPLE_TIME_NS,
    });

  it('are kept like key files, and told from them', async () => {
    const slot = await slotOf('one');
    await createSlotFile(path, slot);
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    expect(await readKeyOrSlot(suite, path)).toEqual({ slot });
    await expect(createSlotFile(path, slot)).rejects.toEqual(coded('TARGET_EXISTS'));
    const other = await slotOf('two');
    await replaceSlotFile(path, other);
    expect(await readKeyOrSlot(suite, path)).toEqual({ slot: other });
    expect(readdirSync(directory)).toEqual(['root.key']);
    await replaceKeyFile(suite, path, ROOT);
    expect(await readKeyOrSlot(suite, path)).toMatchObject({ keyFile: { label: 'root' } });
  });

  it('that are damaged are named', async () => {
    writeFileSync(path, ' {"cairn":1', { mode: 0o600 });
    await expect(readKeyOrSlot(suite, path)).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining(path),
    });
  });
});
