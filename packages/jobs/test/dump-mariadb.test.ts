import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { DumpPlace, type DumpInput } from './support/dump-place.ts';
import { Mariadb } from './support/mariadb.ts';

const ODD = 'we`ird/%na me-ü';
const ODD_NAME = ODD.replaceAll('`', '``');

/** Every byte, among them NUL, in a blob; what breaks badly quoted text in text. */
const DATA = `
  CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
  USE shop;
  CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(200), bytes LONGBLOB, price DECIMAL(10,2), bits BIT(9));
  INSERT INTO item (name, bytes, price, bits) VALUES
    ('🧀 Käse', UNHEX('${Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('hex')}'), 3.20, b'101010101'),
    ('quote '' backslash \\\\ line\\nbreak \\0 nul', '', NULL, NULL), ('-- not a comment; \\r\\n', NULL, -1, 0);
  CREATE TABLE log (text VARCHAR(200));
  CREATE VIEW cheap AS SELECT name FROM item WHERE price < 1;
  CREATE TABLE \`order\` (id INT, item INT, FOREIGN KEY (item) REFERENCES item (id));
  INSERT INTO \`order\` VALUES (1, 1);
  DELIMITER //
  CREATE TRIGGER noted AFTER INSERT ON item FOR EACH ROW BEGIN INSERT INTO log VALUES (NEW.name); END//
  CREATE PROCEDURE twice(IN n INT) BEGIN SELECT n * 2; END//
  CREATE FUNCTION thrice(n INT) RETURNS INT DETERMINISTIC RETURN n * 3//
  CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM log//
  DELIMITER ;
  CREATE DATABASE \`${ODD_NAME}\` CHARACTER SET latin1;
  USE \`${ODD_NAME}\`;
  CREATE TABLE \`ta\`\`ble\` (t TEXT);
  INSERT INTO \`ta\`\`ble\` VALUES (REPEAT('x', 50000));
  CREATE USER ada@localhost IDENTIFIED BY 'ada''s password';
  CREATE ROLE clerk;
  GRANT SELECT ON shop.item TO clerk;
  GRANT clerk TO ada@localhost;`;

let server: Mariadb;
let place: DumpPlace;

beforeAll(async () => {
  server = await Mariadb.start();
});
afterAll(() => server?.remove());

beforeEach(async () => {
  place = await DumpPlace.create();
  server.sql(DATA);
});
afterEach(async () => {
  destroy();
  await place.remove();
});

function destroy(): void {
  server.sql(`DROP DATABASE IF EXISTS shop; DROP DATABASE IF EXISTS other; DROP DATABASE IF EXISTS \`${ODD_NAME}\`;
    DROP USER IF EXISTS ada@localhost; DROP ROLE IF EXISTS clerk;`);
}

function input(more: Readonly<Record<string, unknown>> = {}): DumpInput {
  return { kind: 'mysql', 'credentials-file': place.file('client.cnf', server.optionFile), ...more };
}

/** All that the databases hold and how they are made, in words of the server. */
function state(shop = 'shop'): string {
  return server.sql(`
    USE \`${shop}\`; SELECT id, HEX(name), HEX(bytes), price, HEX(bits) FROM item ORDER BY id; SELECT * FROM \`order\`; SELECT * FROM cheap;
    SELECT trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema = DATABASE();
    SELECT routine_name, routine_definition FROM information_schema.routines WHERE routine_schema = DATABASE() ORDER BY 1;
    SELECT event_name, event_definition FROM information_schema.events WHERE event_schema = DATABASE();
    SELECT table_name, engine, table_collation FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1;
    SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = DATABASE();
    CALL twice(4); SELECT thrice(5);`);
}

function oddState(): string {
  return server.sql(`USE \`${ODD_NAME}\`; SELECT MD5(t) FROM \`ta\`\`ble\`; SELECT @@collation_database`);
}

describe('MariaDB', () => {
  it('gives back all databases of one file, with accounts and rights', async () => {
    const before = [state(), oddState(), server.sql('SHOW GRANTS FOR ada@localhost; SHOW GRANTS FOR clerk')];
    const dumped = await place.dump(input());
    expect(dumped.report.problems).toEqual([]);
    expect(await place.paths(dumped)).toEqual([
      '/dumps/mysql/mysql/accounts.sql',
      '/dumps/mysql/mysql/databases.sql',
      '/dumps/mysql/mysql/manifest.json',
    ]);
    destroy();
    await place.restoreAll(dumped);
    expect([state(), oddState(), server.sql('SHOW GRANTS FOR ada@localhost; SHOW GRANTS FOR clerk')]).toEqual(before);
  });

  it('gives back one database of many, under another name', async () => {
    const before = state();
    const dumped = await place.dump(input({ name: 'each', 'per-database': true, 'exclude-databases': ['nothing'] }));
    expect(dumped.report.problems).toEqual([]);
    expect(await place.paths(dumped)).toEqual([
      '/dumps/mysql/each/accounts.sql',
      '/dumps/mysql/each/databases/shop.sql',
      '/dumps/mysql/each/databases/we`ird%2F%25na me-ü.sql',
      '/dumps/mysql/each/manifest.json',
    ]);
    await place.restoreAll(dumped, { databases: ['shop'], into: 'other' });
    expect(state('other')).toBe(before);
    const odd = oddState();
    server.sql(`DROP DATABASE \`${ODD_NAME}\``);
    await place.restoreAll(dumped, { databases: [ODD] });
    expect(oddState()).toBe(odd);
  });

  it('gives back one of the databases of one file', async () => {
    const [before, odd] = [state(), oddState()];
    const dumped = await place.dump(input());
    server.sql(`DROP DATABASE shop; USE \`${ODD_NAME}\`; INSERT INTO \`ta\`\`ble\` VALUES ('since')`);
    await place.restoreAll(dumped, { databases: ['shop'] });
    expect(state()).toBe(before);
    expect(oddState()).not.toBe(odd);
  });

  it('replaces nothing that holds something unless told to', async () => {
    const dumped = await place.dump(input({ 'per-database': true, databases: ['shop'] }));
    const before = state();
    server.sql("USE shop; INSERT INTO item (name) VALUES ('since'); DROP TABLE log");
    const changed = server.sql('SELECT COUNT(*) FROM shop.item');
    await expect(place.restore(dumped)).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
      message: expect.stringContaining('the database shop with 3 tables'),
    });
    expect(server.sql('SELECT COUNT(*) FROM shop.item')).toBe(changed);
    await place.restoreAll(dumped, { overwrite: true });
    expect(state()).toBe(before);
    server.sql('CREATE DATABASE other');
    await place.restoreAll(dumped, { databases: ['shop'], into: 'other' });
    expect(state('other')).toBe(before);
  });

  it('is the same bytes again when nothing changed', async () => {
    const first = await place.dump(input());
    const second = await place.dump(input());
    expect(second.report.progress.newBytes).toBeLessThan(20_000);
    const path = '/dumps/mysql/mysql/databases.sql';
    expect((await place.content(second, path)).equals(await place.content(first, path))).toBe(true);
  });

  it('tells what is wrong, and never the password', async () => {
    const missing = place.dump(input({ databases: ['shop', 'gone'] }));
    await expect(missing).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE', message: 'there is no database gone' });
    const wrong = place.file('wrong.cnf', server.optionFile.replace('geheim', 'falsches'));
    const error = await place.dump(input({ 'credentials-file': wrong })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'SOURCE_UNREADABLE', message: expect.stringContaining('Access denied') });
    expect(String(error)).not.toContain('falsches');
  });

  it('stores nothing of a dump that breaks off, and the rest of it', async () => {
    // A view on a table that is gone: the program fails half-way.
    server.sql(
      `CREATE DATABASE other; USE other; CREATE TABLE t (a INT); CREATE VIEW v AS SELECT * FROM t; DROP TABLE t`,
    );
    const dumped = await place.dump(input({ 'per-database': true }));
    expect(dumped.report.archive.descriptor.complete).toBe(false);
    expect(dumped.report.problems).toEqual([
      {
        kind: 'content',
        path: '/dumps/mysql/mysql/databases/other.sql',
        message: expect.stringMatching(/nothing of it is stored: .*mariadb-dump ended with status 2: .*other\.v/),
      },
    ]);
    expect(await place.paths(dumped)).not.toContain('/dumps/mysql/mysql/databases/other.sql');
    await expect(place.restore(dumped, { databases: ['other'] })).rejects.toMatchObject({ code: 'PATH_MISSING' });
    server.sql('DROP DATABASE shop');
    await place.restoreAll(dumped, { databases: ['shop'] });
    expect(state()).toContain('F09FA780');
  });

  it('tells of tables that no transaction covers', async () => {
    server.sql('CREATE DATABASE other; CREATE TABLE other.m (a INT) ENGINE=MyISAM');
    await place.dump(input({ databases: ['other'] }));
    expect(place.warnings).toEqual([expect.stringContaining('1 tables are not InnoDB but MyISAM')]);
  });
});
