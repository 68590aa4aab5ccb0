import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { DumpPlace, type DumpInput } from './support/dump-place.ts';
import { Postgresql } from './support/postgresql.ts';

/** What a connection string, a file name or SQL could take for something else. */
const ODD = `od"d/'na\\me = dbname=postgres ü`;
const ODD_NAME = ODD.replaceAll('"', '""');

const ROLES = `
  CREATE ROLE clerk; CREATE ROLE "o'dd ""role" LOGIN PASSWORD 'pass''word'; GRANT clerk TO "o'dd ""role";
  CREATE ROLE owner_of_shop LOGIN CONNECTION LIMIT 7;`;

const SHOP = `
  CREATE TABLE item (id serial PRIMARY KEY, name text, bytes bytea, tags text[], data jsonb);
  INSERT INTO item (name, bytes, tags, data) VALUES
    ('🧀 Käse', decode('${Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('hex')}', 'hex'), '{a,"b c"}', '{"x": [1, null]}'),
    (E'tab\\t line\\n backslash \\\\ quote ''', NULL, NULL, NULL);
  SELECT lo_from_bytea(4711, decode('00ff00', 'hex'));
  CREATE VIEW names AS SELECT name FROM item;
  CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
  GRANT SELECT ON item TO clerk;
  ALTER TABLE item OWNER TO owner_of_shop;
  ALTER DATABASE shop SET work_mem = '7MB';
  COMMENT ON DATABASE shop IS 'the shop';`;

let server: Postgresql;
let place: DumpPlace;

beforeAll(async () => {
  server = await Postgresql.start();
});
afterAll(() => server?.remove());

beforeEach(async () => {
  place = await DumpPlace.create();
  server.sql(`${ROLES}\nCREATE DATABASE shop OWNER owner_of_shop;\n\\connect shop\n${SHOP}`);
});
afterEach(async () => {
  destroy();
  await place.remove();
});

/** Databases with another encoding, and with an odd name. */
function makeOthers(): void {
  server.sql(`CREATE DATABASE "${ODD_NAME}";\nCREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;`);
  for (const name of [ODD, 'latin']) server.sql(`CREATE TABLE t AS SELECT 'Ä' AS a`, name);
}

function destroy(): void {
  const databases = ['shop', 'other', 'latin', ODD_NAME].map(
    (name) => `DROP DATABASE IF EXISTS "${name}" WITH (FORCE);`,
  );
  const accounts = ['clerk', `o'dd ""role`, 'owner_of_shop'].map((name) => `DROP ROLE IF EXISTS "${name}";`);
  // One by one, since no transaction may drop a database.
  server.sql([...databases, ...accounts].join('\n'));
}

function input(more: Readonly<Record<string, unknown>> = {}): DumpInput {
  return { kind: 'postgresql', host: server.host, user: 'postgres', 'credentials-file': server.passwordFile, ...more };
}

function state(database = 'shop'): string {
  return server.sql(
    `SELECT id, name, encode(bytes, 'hex'), tags, data FROM item ORDER BY id;
     SELECT encode(lo_get(4711), 'hex'); SELECT count(*) FROM names; SELECT twice(4);
     SELECT relname, pg_get_userbyid(relowner), relacl FROM pg_class WHERE relname IN ('item', 'names') ORDER BY 1;
     SELECT nextval('item_id_seq') > 2`,
    database,
  );
}

/** What belongs to a database and not to what is in it. */
function settings(): string {
  return server.sql(`SELECT datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), shobj_description(d.oid, 'pg_database'), setconfig
    FROM pg_database d LEFT JOIN pg_db_role_setting s ON s.setdatabase = d.oid WHERE datname NOT LIKE 'template%' ORDER BY 1`);
}

function roles(): string {
  return server.sql(`SELECT rolname, rolcanlogin, rolconnlimit, rolpassword FROM pg_authid WHERE rolname NOT LIKE 'pg\\_%' ORDER BY 1;
    SELECT pg_get_userbyid(roleid), pg_get_userbyid(member) FROM pg_auth_members WHERE pg_get_userbyid(roleid) = 'clerk'`);
}

describe('PostgreSQL', () => {
  it.each(['custom', 'plain'])('gives back databases, roles and rights (%s)', async (format) => {
    makeOthers();
    const all = () => [
      state(),
      server.sql('SELECT a FROM t', ODD),
      server.sql('SELECT a FROM t', 'latin'),
      settings(),
      roles(),
    ];
    const before = all();
    const dumped = await place.dump(input({ format }));
    expect(dumped.report.problems).toEqual([]);
    const ending = format === 'custom' ? 'dump' : 'sql';
    expect(await place.paths(dumped)).toEqual([
      `/dumps/postgresql/postgresql/databases/latin.${ending}`,
      `/dumps/postgresql/postgresql/databases/${ODD.replace('/', '%2F')}.${ending}`,
      `/dumps/postgresql/postgresql/databases/postgres.${ending}`,
      `/dumps/postgresql/postgresql/databases/shop.${ending}`,
      '/dumps/postgresql/postgresql/globals.sql',
      '/dumps/postgresql/postgresql/manifest.json',
    ]);
    destroy();
    await place.restoreAll(dumped);
    expect(all()).toEqual(before);
  });

  it('gives back one database under another name', async () => {
    makeOthers();
    const before = state();
    const dumped = await place.dump(input({ databases: ['shop', 'latin'] }));
    expect(await place.paths(dumped)).toHaveLength(3);
    await place.restoreAll(dumped, { databases: ['shop'], into: 'other' });
    expect(state('other')).toBe(before);
    await place.restoreAll(dumped, { databases: ['latin'], into: 'other', overwrite: true });
    expect(server.sql('SHOW server_encoding; SELECT a FROM t', 'other')).toBe('LATIN1\nÄ\n');
  });

  it('leaves roles that exist as they are unless told to', async () => {
    const dumped = await place.dump(input());
    const before = roles();
    destroy();
    server.sql('CREATE ROLE clerk LOGIN');
    await place.restoreAll(dumped);
    expect(roles()).toContain('clerk\tt\t-1');
    destroy();
    server.sql('CREATE ROLE clerk LOGIN');
    await place.restoreAll(dumped, { overwrite: true });
    expect(roles()).toBe(before);
  });

  it('replaces nothing that holds something unless told to', async () => {
    const dumped = await place.dump(input({ databases: ['shop'] }));
    const before = state();
    server.sql("INSERT INTO item (name) VALUES ('since')", 'shop');
    await expect(place.restore(dumped)).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
      message: expect.stringContaining('the database shop with'),
    });
    expect(state()).toContain('since');
    await place.restoreAll(dumped, { overwrite: true });
    expect(state()).toBe(before);
  });

  it('tells what a restore that broke off has left', async () => {
    const dumped = await place.dump(input({ databases: ['shop'] }));
    destroy();
    // Who owns and may read the tables is not there.
    const { steps, failure } = await place.restore(dumped);
    expect(steps.map(({ result }) => result)).toEqual(['failed']);
    expect(failure).toMatchObject({
      code: 'TARGET_FAILED',
      message: expect.stringMatching(/pg_restore ended with status 1: .*role "\w+" does not exist/),
      hint: expect.stringContaining('the database shop, with a part of its content'),
    });
  });

  it('tells what is wrong, and never the password', async () => {
    const file = place.file('wrong', '*:*:*:*:grundfalsch\n');
    const error = await place.dump(input({ 'credentials-file': file })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: expect.stringContaining('password authentication failed'),
    });
    expect(String(error)).not.toContain('grundfalsch');
  });

  it('ends a dump that takes too long, and stores nothing of it', async () => {
    // The dump waits for a lock that another session holds.
    const locked = server.lock('item', 'shop');
    try {
      const dump = place.dump(input({ databases: ['shop'], 'time-limit': '1s' }));
      await expect(dump).rejects.toMatchObject({
        code: 'SOURCE_UNREADABLE',
        message: expect.stringContaining('pg_dump took longer than 1 s and was ended'),
      });
    } finally {
      locked.kill();
    }
    expect(place.repository.archives()).toEqual([]);
  });
});
