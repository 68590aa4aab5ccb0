import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { LIMITS } from '../limits.ts';
import { readPassphraseFile } from './passphrase-file.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-passphrase-'));
  path = join(directory, 'words');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Descriptors of this process that lead into the directory. */
function opened(): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      // The descriptor by which the list was read.
      return false;
    }
  });
}

describe('a passphrase file', () => {
  it.each([
    ['nothing behind', 'otter kettle', 'otter kettle'],
    ['a line end', 'otter kettle\n', 'otter kettle'],
    ['a line end of Windows', 'otter kettle\r\n', 'otter kettle'],
    ['blanks that count', '  otter kettle \n', '  otter kettle '],
    ['two line ends, of which one counts', 'otter\n\n', 'otter\n'],
    ['the mark that some editors put before', '\uFEFFotter', 'otter'],
    ['letters in two parts, which are one', 'u\u0308ber', '\u00fcber'],
    ['as much as it may', 'x'.repeat(LIMITS.passphraseBytes), 'x'.repeat(LIMITS.passphraseBytes)],
  ])('with %s', async (_, content, passphrase) => {
    writeFileSync(path, content);
    expect((await readPassphraseFile(path)).toString()).toBe(passphrase);
    expect(opened()).toEqual([]);
  });

  it.each([
    ['is empty', ''],
    ['is empty', '\n'],
    ['is not UTF-8 text', Buffer.from([0xff, 0xfe, 0x6f, 0x00])],
    ['has more than 4096 bytes', 'x'.repeat(LIMITS.passphraseBytes + 1)],
  ])('that %s is named, and nothing of it', async (reason, content) => {
    writeFileSync(path, content);
    const reading = readPassphraseFile(path);
    await expect(reading).rejects.toMatchObject({ code: 'USAGE', message: `the passphrase file ${path} ${reason}` });
    expect(opened()).toEqual([]);
  });

  it.each([
    ['that is not there', () => path, 'ENOENT'],
    ['that is a directory', () => directory, 'EISDIR'],
  ])('%s is named', async (_, where, reason) => {
    await expect(readPassphraseFile(where())).rejects.toMatchObject({
      code: 'USAGE',
      message: `cannot read the passphrase file ${where()}: ${reason}`,
    });
    expect(opened()).toEqual([]);
  });

  it('without end is not read to it, and one of nothing is empty', async () => {
    await expect(readPassphraseFile('/dev/zero')).rejects.toThrow('has more than 4096 bytes');
    await expect(readPassphraseFile('/dev/null')).rejects.toThrow('is empty');
  });
});

describe('a pipe with a passphrase', () => {
  beforeEach(() => execFileSync('mkfifo', [path]));

  it('is waited for', async () => {
    const reading = readPassphraseFile(path);
    const writer = await open(path, 'w');
    await writer.write('otter ');
    await writer.write('kettle\n');
    await writer.close();
    expect((await reading).toString()).toBe('otter kettle');
    expect(opened()).toEqual([]);
  });

  it('is waited for no longer than somebody wants it', async () => {
    const stop = new AbortController();
    const reading = readPassphraseFile(path, stop.signal);
    // It is open for reading as soon as it can be opened for writing.
    const writer = await open(path, 'w');
    stop.abort();
    await expect(reading).rejects.toMatchObject({ code: 'CANCELLED' });
    await writer.close();
    await expect(readPassphraseFile(path, stop.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(opened()).toEqual([]);
  });
});
