import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { encodeHeader, TAR_TYPE, type TarHeader } from './header.ts';
import { ImportedFile, ImportTree } from './import-tree.ts';
import { memberEntry } from './member-entry.ts';
import { memberNames } from './member-path.ts';
import { encodePaxRecords, type PaxRecord } from './pax.ts';
import { TarReader } from './tar-reader.ts';

const NOBODY = { userId: () => undefined, groupId: () => undefined };
const PLAIN: TarHeader = {
  name: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  type: TAR_TYPE.file,
  linkName: '',
  user: '',
  group: '',
  major: 0,
  minor: 0,
};
const END = Buffer.alloc(1024);

/** Reads a stream as an import does, but for storing. @returns bytes of content. */
async function read(...parts: readonly Uint8Array[]): Promise<number> {
  const tree = new ImportTree();
  let bytes = 0;
  const source = (async function* () {
    yield* parts;
  })();
  for await (const member of new TarReader(source).members()) {
    const names = memberNames(member.path, member.offset);
    if (member.type === TAR_TYPE.hardLink) {
      tree.put(names, tree.linked(memberNames(member.linkPath, member.offset), member.offset), member.offset);
      continue;
    }
    const entry = memberEntry(member, names.at(-1) ?? '', 1n, NOBODY, () => undefined);
    if (member.type === TAR_TYPE.directory) tree.directory(names, member.offset).entry = entry;
    else tree.put(names, new ImportedFile(), member.offset);
    for await (const piece of member.content()) bytes += piece.length;
  }
  return bytes;
}

function header(more: Partial<TarHeader>): Buffer {
  return encodeHeader({ ...PLAIN, ...more });
}

function pax(records: readonly PaxRecord[], type: string = TAR_TYPE.paxHeader): Buffer {
  const body = encodePaxRecords(records);
  return Buffer.concat([header({ type, size: body.length }), body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

async function refusal(
  ...parts: readonly Uint8Array[]
): Promise<{ readonly message: string; readonly offset: unknown }> {
  try {
    await read(...parts);
  } catch (error) {
    if (!isCairnError(error, 'TAR_INVALID')) throw error;
    return { message: error.message, offset: error.details?.['offset'] };
  }
  throw new Error('it was taken');
}

describe('a tar stream that is not allowed', () => {
  it.each([
    ['an absolute path', { name: '/etc/passwd' }],
    ['a path that leads out', { name: 'a/../../etc/passwd' }],
    ['a path that is only that', { name: '..' }],
    ['no name', { name: '' }],
    ['a type that nobody knows', { type: 'Z' }],
    ['a symlink without a target', { type: TAR_TYPE.symlink }],
    ['a hard link to nothing', { type: TAR_TYPE.hardLink, linkName: 'absent' }],
    ['a hard link that leads out', { type: TAR_TYPE.hardLink, linkName: '../x' }],
  ])('has %s, and is refused with the byte', async (_, wrong) => {
    expect(await refusal(header({ name: 'before' }), header(wrong), END)).toMatchObject({ offset: 512 });
  });

  it('puts something below a link, or makes one thing two', async () => {
    const link = header({ name: 'a', type: TAR_TYPE.symlink, linkName: '/etc' });
    expect(await refusal(link, header({ name: 'a/passwd' }), END)).toMatchObject({ offset: 512 });
    const directory = header({ name: 'a/', type: TAR_TYPE.directory });
    expect(await refusal(directory, header({ name: 'a' }), END)).toMatchObject({ offset: 512 });
  });

  it('has headers without bounds', async () => {
    const huge = header({ type: TAR_TYPE.paxHeader, size: LIMITS.tarHeaderBytes + 1 });
    expect((await refusal(huge)).message).toContain('longer than');
    expect((await refusal(header({ type: TAR_TYPE.gnuLongName, size: 0o777_7777_7777 }))).message).toContain('longer');
    const long = Buffer.from('x'.repeat(256));
    expect((await refusal(pax([['path', long]]), header({}), END)).message).toContain('no file can have');
    const deep = Buffer.from('d/'.repeat(LIMITS.treeDepth + 1));
    expect((await refusal(pax([['path', deep]]), header({}), END)).message).toContain('names');
    const xattr: PaxRecord = ['SCHILY.xattr.user.x', Buffer.alloc(LIMITS.xattrValueBytes + 1)];
    expect((await refusal(pax([xattr]), header({}), END)).message).toContain('attributes');
    const size = pax([['size', Buffer.from('99999999999999999')]]);
    expect((await refusal(size, header({}), END)).message).toContain('out of range');
  });

  it('has sparse files that ask for the moon', async () => {
    const facts = (map: string, size: string): Buffer =>
      pax([
        ['GNU.sparse.major', Buffer.from('0')],
        ['GNU.sparse.realsize', Buffer.from(size)],
        ['GNU.sparse.map', Buffer.from(map)],
      ]);
    const refused = ['5,5,0,5', '0,9', '8,5', '1', 'x'];
    for (const map of refused) await refusal(facts(map, '10'), header({ size: 10 }), Buffer.alloc(512), END);
    // More holes than an entry has, each of which would be filled with zeros.
    const many = Array.from({ length: LIMITS.holes + 100 }, (_, i) => `${(i + 1) * 2 ** 32},1`).join(',');
    const moon = facts(many, String(2 ** 32 * (LIMITS.holes + 101)));
    const body = Buffer.alloc(Math.ceil((LIMITS.holes + 100) / 512) * 512);
    expect((await refusal(moon, header({ size: LIMITS.holes + 100 }), body, END)).message).toContain('too many holes');
    const inData = pax([
      ['GNU.sparse.major', Buffer.from('1')],
      ['GNU.sparse.realsize', Buffer.from('10')],
    ]);
    const map = Buffer.alloc(512, '9');
    await refusal(inData, header({ size: 512 }), map, END);
    await refusal(inData, header({ size: 512 }), Buffer.from('9999999\n'.padEnd(512, '\0')), END);
    await refusal(inData, header({ size: 100 }), Buffer.alloc(512), END);
    // A terabyte that is nothing but a hole is no bomb: it takes no room.
    expect(await read(facts('1099511627776,0', '1099511627776'), header({}), END)).toBe(0);
  });

  it('is compressed, and the hint says how to read it', async () => {
    const block = Buffer.alloc(512, 1);
    block.write('1f8b08', 'hex');
    try {
      await read(block);
    } catch (error) {
      expect(isCairnError(error, 'TAR_INVALID') && error.hint).toContain('gzip -dc');
    }
  });

  it('goes on after its end, which would be lost', async () => {
    const one = Buffer.concat([header({}), END]);
    expect(await refusal(one, one)).toMatchObject({ offset: 512 + 1024 });
    expect(await read(one, Buffer.alloc(10_000))).toBe(0);
  });
});

describe('a tar stream of GNU tar', () => {
  let directory = '';
  let tar = Buffer.alloc(0);
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'cairn-tar-'));
    const source = join(directory, 'source');
    mkdirSync(join(source, 'a', 'b'), { recursive: true });
    writeFileSync(join(source, 'a', 'file'), 'x'.repeat(1500));
    writeFileSync(join(source, 'a', 'b', 'n'.repeat(150)), 'long');
    symlinkSync('file', join(source, 'a', 'link'));
    execFileSync('truncate', ['-s', '1M', join(source, 'sparse')]);
    execFileSync('tar', ['--format=pax', '--sparse', '-cf', join(directory, 'x.tar'), '-C', source, '.']);
    tar = readFileSync(join(directory, 'x.tar'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('is read whole', async () => {
    expect(await read(tar)).toBe(1504);
  });

  it('is refused wherever it is cut off', async () => {
    let end = tar.length;
    while (tar[end - 1] === 0) end -= 1;
    for (let length = 0; length < end; length += 61) {
      const { offset } = await refusal(tar.subarray(0, length));
      expect(offset).toBeLessThanOrEqual(length);
    }
  });

  it('is read or refused, never worse, with whatever byte of it changed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(tar.length - 1), fc.nat(255), fc.nat(600), async (at, byte, cut) => {
        const bytes = Buffer.from(tar);
        bytes[at] = byte;
        try {
          await read(bytes.subarray(0, cut), bytes.subarray(cut));
        } catch (error) {
          expect(isCairnError(error, 'TAR_INVALID'), String(error)).toBe(true);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('is refused when a header has another byte, unless the checksum counts it alike', async () => {
    for (let at = 0; at < 148; at++) {
      const bytes = Buffer.from(tar);
      bytes[at] = (bytes[at] ?? 0) ^ 0x41;
      expect(await refusal(bytes)).toMatchObject({ offset: 0 });
    }
  });
});
