import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { fileNameOf } from './file-name.ts';
import { entriesOf } from './ldif.ts';
import {
  endsWithMark,
  isCustomFormat,
  isMongoArchive,
  isSqliteDatabase,
  isWholeLdif,
  OutputEnds,
} from './output-ends.ts';
import { statementsOf, withoutExisting } from './sql-statements.ts';
import { TextTail } from './text-tail.ts';

function endsOf(...pieces: readonly (string | Buffer)[]): OutputEnds {
  const ends = new OutputEnds();
  for (const piece of pieces) ends.add(typeof piece === 'string' ? Buffer.from(piece) : piece);
  return ends;
}

describe('the ends of an output', () => {
  it('are the same however it comes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 6_000 }), { maxLength: 8 }), (pieces) => {
        const whole = Buffer.concat(pieces);
        const { head, tail, length } = endsOf(...pieces.map((piece) => Buffer.from(piece)));
        expect(head.equals(whole.subarray(0, 4_096))).toBe(true);
        expect(tail.equals(whole.subarray(-4_096))).toBe(true);
        expect(length).toBe(whole.length);
      }),
    );
  });

  it('show what is cut off', () => {
    const done = endsWithMark('-- Dump completed');
    expect(done(endsOf('x'.repeat(10_000), '-- Dump comp', 'leted\n'))).toBeUndefined();
    expect(done(endsOf('-- Dump completed\n', 'x'.repeat(10_000)))).toMatch(/cut off/);
    expect(isWholeLdif(endsOf('dn: a\nb: c\n\n'))).toBeUndefined();
    expect(isWholeLdif(endsOf(''))).toBeUndefined();
    expect(isWholeLdif(endsOf('dn: a\nb: c'))).toMatch(/cut off/);
    expect(isWholeLdif(endsOf('oops\n\n'))).toMatch(/no LDIF/);
    expect(isCustomFormat(endsOf('PGDMP\x01'))).toBeUndefined();
    expect(isCustomFormat(endsOf(''))).toMatch(/custom format/);
    const magic = Buffer.from('6de29981', 'hex');
    expect(isMongoArchive(endsOf(magic, 'x', Buffer.alloc(4, 255)))).toBeUndefined();
    expect(isMongoArchive(endsOf(magic, 'x'))).toMatch(/not closed/);
    expect(isMongoArchive(endsOf('x'))).toMatch(/no archive/);
    expect(isSqliteDatabase(endsOf('SQLite format 3\0more'))).toBeUndefined();
    expect(isSqliteDatabase(endsOf('other'))).toMatch(/no SQLite/);
  });

  it('keep whole lines of messages', () => {
    const tail = new TextTail();
    for (let i = 0; i < 1_000; i++) tail.add(Buffer.from(`line ${i}\n`));
    const lines = tail.text().split('\n');
    expect(lines.at(-1)).toBe('line 999');
    expect(lines.every((line) => /^line \d+$/.test(line))).toBe(true);
    expect(lines.length).toBeGreaterThan(100);
  });
});

describe('names of databases as names of files', () => {
  it('never meet, and are always one name', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 60 }), fc.string({ minLength: 1, maxLength: 60 }), (a, b) => {
        const name = fileNameOf(a);
        expect(name).not.toMatch(/^\.|[/\0\n]/);
        expect(name === fileNameOf(b)).toBe(a === b);
      }),
    );
  });

  it('are refused when no file can have them', () => {
    expect(fileNameOf('ä'.repeat(63))).toHaveLength(63);
    expect(() => fileNameOf('/'.repeat(100))).toThrow(/no file can have the name/);
  });
});

describe('statements of pg_dumpall', () => {
  const text = [
    "--\n-- PostgreSQL database cluster dump\n--\n\n\\restrict abc\nSET client_encoding = 'UTF8';\n",
    "--\n-- Roles: it's quoted\n--\n\nCREATE ROLE postgres;\nALTER ROLE postgres WITH SUPERUSER PASSWORD 'a;\nCREATE ROLE trap;\n';\n",
    'CREATE ROLE "odd ""; role";\nALTER ROLE "odd ""; role" WITH LOGIN;\nGRANT a TO b;\n',
    '\\unrestrict abc\n',
  ].join('');

  it('are all of the text', () => {
    expect([...statementsOf(text)].join('')).toBe(text);
    expect([...statementsOf(text)].filter((statement) => statement.startsWith('CREATE'))).toEqual([
      'CREATE ROLE postgres;\n',
      'CREATE ROLE "odd ""; role";\n',
    ]);
  });

  it('leave out what exists', () => {
    const existing = { roles: new Set(['postgres', 'odd "; role']), tablespaces: new Set<string>() };
    expect(withoutExisting(text, existing, false)).not.toContain('ROLE');
    const changed = withoutExisting(text, existing, true);
    expect(changed).not.toContain('CREATE ROLE "odd');
    expect(changed).toContain('ALTER ROLE "odd ""; role" WITH LOGIN;');
    expect(withoutExisting(text, { roles: new Set(), tablespaces: new Set() }, false)).toBe(text);
  });
});

describe('LDIF', () => {
  it('has folded lines, base64 and comments', () => {
    const [config, other] = entriesOf(
      '# comment\ndn: olcDatabase={1}mdb,cn=config\nolcSuffix: dc=exa\n mple\na: 1\nA: 2\n\ndn:: w6Q=\n',
    );
    expect(config?.get('olcsuffix')).toEqual(['dc=example']);
    expect(config?.get('a')).toEqual(['1', '2']);
    expect(other?.get('dn')).toEqual(['ä']);
  });
});
