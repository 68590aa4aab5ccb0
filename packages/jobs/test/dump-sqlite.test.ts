import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { assertInstalled } from './support/daemon.ts';
import { DumpPlace } from './support/dump-place.ts';

let place: DumpPlace;
beforeEach(async () => {
  assertInstalled('sqlite3');
  place = await DumpPlace.create();
});
afterEach(async () => await place.remove());

function sql(path: string, statements: string): string {
  const { status, stdout, stderr } = spawnSync('sqlite3', ['-batch', '-bail', path], {
    input: statements,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

const STATE = `SELECT a, hex(b) FROM t ORDER BY a; PRAGMA user_version; PRAGMA integrity_check;`;

function make(name: string, journal: string): string {
  const path = place.path(name);
  sql(
    path,
    `PRAGMA journal_mode=${journal}; PRAGMA user_version=42; CREATE TABLE t (a INTEGER, b BLOB);
    INSERT INTO t VALUES (1, x'00ff00'), (2, 'Käse 🧀');`,
  );
  return path;
}

describe.each(['delete', 'wal'])('SQLite with the journal mode %s', (journal) => {
  it('is given back as it was, with its owner and mode', async () => {
    const path = make(`it's "odd" – ü.db`, journal);
    const before = sql(path, STATE);
    const dumped = await place.dump({ kind: 'sqlite', files: [path] });
    expect(dumped.report.problems).toEqual([]);
    expect(await place.paths(dumped)).toEqual([
      `/dumps/sqlite/sqlite/files${path}`,
      '/dumps/sqlite/sqlite/manifest.json',
    ]);
    expect(readdirSync(place.directory).filter((name) => name.startsWith('cairn-sqlite-'))).toEqual([]);
    const other = place.path('other.db');
    await place.restoreAll(dumped, { into: other });
    expect(sql(other, STATE)).toBe(before);
    expect(statSync(other).mode).toBe(statSync(path).mode);
    sql(path, 'INSERT INTO t VALUES (3, NULL)');
    await expect(place.restore(dumped)).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    await place.restoreAll(dumped, { overwrite: true });
    expect(sql(path, STATE)).toBe(before);
    expect(readdirSync(place.directory).filter((name) => name.includes('cairn-'))).toEqual([]);
  });

  it('is of one moment while somebody writes', async () => {
    const path = place.path('busy.db');
    sql(
      path,
      `PRAGMA journal_mode=${journal}; CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB); CREATE TABLE n (n INTEGER); INSERT INTO n VALUES (0);`,
    );
    // Each transaction keeps the number of rows and the count beside it equal.
    const step = 'BEGIN IMMEDIATE; INSERT INTO t (b) VALUES (randomblob(20000)); UPDATE n SET n = n + 1; COMMIT;';
    const script = 'yes "$1" | sqlite3 -cmd ".timeout 60000" "$2"';
    const writer = spawn('sh', ['-c', script, 'sh', step, path], {
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true,
    });
    const stopped = new Promise((resolve) => writer.on('close', resolve));
    while (sql(path, '.timeout 60000\nSELECT n > 20 FROM n').trim() !== '1');
    const dumped = await place.dump({ kind: 'sqlite', files: [path] });
    process.kill(-(writer.pid ?? 0));
    await stopped;
    expect(dumped.report.problems).toEqual([]);
    const copy = place.path('copy.db');
    await place.restoreAll(dumped, { into: copy });
    expect(
      sql(copy, 'SELECT (SELECT count(*) FROM t) = (SELECT n FROM n), n > 20 FROM n; PRAGMA integrity_check'),
    ).toBe('1|1\nok\n');
  });
});

describe('SQLite', () => {
  it('stores nothing of a file that is no database, and the others', async () => {
    const good = make('good.db', 'delete');
    const bad = place.file('bad.db', 'no database at all, although it has the name of one');
    const dumped = await place.dump({ kind: 'sqlite', files: [bad, good] });
    expect(dumped.report.problems).toEqual([
      {
        kind: 'content',
        path: `/dumps/sqlite/sqlite/files${bad}`,
        message: expect.stringContaining('file is not a database'),
      },
    ]);
    expect(await place.paths(dumped)).toEqual([
      `/dumps/sqlite/sqlite/files${good}`,
      '/dumps/sqlite/sqlite/manifest.json',
    ]);
  });

  it('finds a missing file before anything is dumped', async () => {
    const dump = place.dump({ kind: 'sqlite', files: [place.path('gone.db')] });
    await expect(dump).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE', message: expect.stringContaining('ENOENT') });
    expect(readdirSync(place.directory)).not.toContain('gone.db');
  });

  it('leaves the database when the copy cannot be put in its place', async () => {
    const path = make('kept.db', 'delete');
    const dumped = await place.dump({ kind: 'sqlite', files: [path] });
    const elsewhere = place.path('no', 'such', 'directory.db');
    const { failure } = await place.restore(dumped, { into: elsewhere });
    expect(failure).toMatchObject({ code: 'TARGET_FAILED', message: expect.stringContaining('cannot write') });
    expect(readFileSync(path).subarray(0, 15).toString()).toBe('SQLite format 3');
  });
});
