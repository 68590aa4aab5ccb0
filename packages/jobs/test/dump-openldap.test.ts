import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { detectDumps } from '../dist/index.js';
import { DumpPlace, type DumpInput } from './support/dump-place.ts';
import { Openldap, SUFFIX } from './support/openldap.ts';

/** A tree with names and values that LDIF writes in base64, a photo with every byte, and a password hash. */
const ENTRIES = `dn: ${SUFFIX}
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,${SUFFIX}
objectClass: organizationalUnit
ou: people

dn:: ${Buffer.from(`cn=Jürgen Ä,ou=people,${SUFFIX}`).toString('base64')}
objectClass: inetOrgPerson
cn:: ${Buffer.from('Jürgen Ä').toString('base64')}
sn:: ${Buffer.from(' leading space').toString('base64')}
description: ${'long '.repeat(60)}end
userPassword: {SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g0Pz8/
jpegPhoto:: ${Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('base64')}
`;

let server: Openldap;
let place: DumpPlace;

beforeEach(async () => {
  place = await DumpPlace.create();
  server = Openldap.create(ENTRIES);
  await server.start();
});
afterEach(async () => {
  server.remove();
  await place.remove();
});

/** As root the tools run as the user of slapd, who must be able to read what they make. */
function input(): DumpInput {
  const user = process.geteuid?.() === 0 ? { 'run-as': 'openldap' } : {};
  return { kind: 'openldap', 'config-directory': server.config, ...user };
}

/** Command lines of all servers that run. */
function servers(): string[] {
  const lines = readdirSync('/proc').flatMap((id) => {
    // A process may end meanwhile.
    const { stdout } = spawnSync('cat', [`/proc/${id}/cmdline`], { encoding: 'utf8' });
    return /^\d+$/.test(id) ? [stdout.replaceAll('\0', ' ').trim()] : [];
  });
  return lines.filter((line) => /^\S*\bslapd /.test(line)).toSorted();
}

describe('OpenLDAP', () => {
  it('is not started by a dump, nor by a look at what is installed', async () => {
    const before = servers();
    await place.dump(input());
    const found = await detectDumps(place.context());
    expect(found.find(({ kind }) => kind === 'openldap')?.program).toMatch(/^@\(#\) \$OpenLDAP: slapd 2\./);
    expect(servers()).toEqual(before);
  });

  it('gives back configuration and entries, which slapd starts with', async () => {
    server.add(`dn: cn=while it runs,ou=people,${SUFFIX}\nobjectClass: person\ncn: while it runs\nsn: x\n`);
    const before = server.search();
    const dumped = await place.dump(input());
    expect(dumped.report.problems).toEqual([]);
    expect(await place.paths(dumped)).toEqual([
      '/dumps/openldap/openldap/config.ldif',
      '/dumps/openldap/openldap/databases/1.ldif',
      '/dumps/openldap/openldap/manifest.json',
    ]);
    await expect(place.restore(dumped, { overwrite: true })).rejects.toMatchObject({
      code: 'TARGET_FAILED',
      message: expect.stringContaining('has the files of slapd'),
    });
    server.add(`dn: cn=since,ou=people,${SUFFIX}\nobjectClass: person\ncn: since\nsn: x\n`);
    await server.stop();
    await expect(place.restore(dumped)).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    await place.restoreAll(dumped, { overwrite: true });
    await server.start();
    expect(server.search()).toBe(before);
    // What was there is not lost.
    expect(server.names().filter((name) => /^(config|data)\.before-\d+$/.test(name))).toHaveLength(2);
  });

  it('gives back one tree and leaves the configuration', async () => {
    const before = server.search();
    const dumped = await place.dump(input());
    server.add(`dn: cn=since,ou=people,${SUFFIX}\nobjectClass: person\ncn: since\nsn: x\n`);
    await server.stop();
    await place.restoreAll(dumped, { databases: [SUFFIX], overwrite: true });
    await server.start();
    expect(server.search()).toBe(before);
    await expect(place.restore(dumped, { databases: ['dc=other'] })).rejects.toMatchObject({ code: 'PATH_MISSING' });
  });
});
