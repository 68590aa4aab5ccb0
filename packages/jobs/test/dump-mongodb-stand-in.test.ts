import { existsSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { DumpPlace, type Dumped, type DumpInput } from './support/dump-place.ts';

/**
 * No server of MongoDB can be installed from Debian. These programs stand in for `mongodump` and `mongorestore`: they hold what is called
 * against the documented options and the documented archive format, and prove nothing about MongoDB itself.
 */
const DUMP = `#!/usr/bin/env node
const { readFileSync, existsSync } = require('node:fs');
const args = process.argv.slice(2);
if (args[0] === '--version') { console.log('mongodump version: 100.9.4'); process.exit(0); }
const config = args.find((one) => one.startsWith('--config='))?.slice(9);
if (!args.includes('--archive') || !readFileSync(config, 'utf8').includes('password:')) process.exit(9);
const only = args.find((one) => one.startsWith('--db='))?.slice(5);
const document = (fields) => {
  const parts = Object.entries(fields).map(([name, text]) => {
    const length = Buffer.alloc(4);
    length.writeInt32LE(Buffer.byteLength(text) + 1);
    return Buffer.concat([Buffer.from([2]), Buffer.from(name + '\\0'), length, Buffer.from(text + '\\0')]);
  });
  const body = Buffer.concat([...parts, Buffer.from([0])]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(body.length + 4);
  return Buffer.concat([length, body]);
};
const held = existsSync(process.env.HOME + '/collections') ? readFileSync(process.env.HOME + '/collections', 'utf8').split('\\n') : [];
const names = held.filter((name) => name !== '' && (only === undefined || name.startsWith(only + '.')));
console.error('2026-11-21 writing shop.item to archive on stdout');
process.stdout.write(Buffer.from('6de29981', 'hex'));
process.stdout.write(document({ version: '0.1' }));
for (const name of names) {
  const [db, ...rest] = name.split('.');
  process.stdout.write(document({ db, collection: rest.join('.'), metadata: '{}' }));
}
process.stdout.write(Buffer.alloc(4, 255));
process.stdout.write('documents of ' + names.join());
if (existsSync(process.env.HOME + '/broken')) { console.error('Failed: connection(mongodb://root:verraten@db) reset'); process.exit(existsSync(process.env.HOME + '/silent') ? 0 : 1); }
process.stdout.write(Buffer.alloc(4, 255));
`;

const RESTORE = `#!/usr/bin/env node
const { writeFileSync, readFileSync } = require('node:fs');
writeFileSync(process.env.HOME + '/restored', JSON.stringify({ args: process.argv.slice(2), input: readFileSync(0, 'latin1') }));
`;

let place: DumpPlace;
let input: DumpInput;

beforeEach(async () => {
  place = await DumpPlace.create();
  place.context();
  place.file('mongodump', DUMP, 0o755);
  place.file('mongorestore', RESTORE, 0o755);
  place.file('home/collections', 'shop.item\nshop.order\nblog.post\nadmin.system.version\n');
  input = { kind: 'mongodb', 'credentials-file': place.file('mongo.yaml', 'password: geheim99\n') };
});
afterEach(async () => await place.remove());

function context() {
  return place.context({ PATH: `${place.directory}:${process.env['PATH'] ?? ''}` });
}

function restored(): { readonly args: readonly string[]; readonly input: string } {
  return JSON.parse(readFileSync(place.path('home/restored'), 'utf8')) as { args: string[]; input: string };
}

async function dump(): Promise<Dumped> {
  return await place.dump(input, context());
}

describe('mongodump and mongorestore, as documented (stand-ins, no server)', () => {
  it('dump all into one archive, and take it back', async () => {
    const dumped = await dump();
    expect(dumped.report.problems).toEqual([]);
    const path = '/dumps/mongodb/mongodb/databases.archive';
    expect(await place.paths(dumped)).toEqual([path, '/dumps/mongodb/mongodb/manifest.json']);
    // What it says while it works is no warning.
    expect(place.warnings).toEqual([]);
    place.file('home/collections', '');
    const { failure } = await place.restore(dumped, {}, context());
    expect(failure).toBeUndefined();
    expect(restored().args).toEqual([`--config=${place.path('mongo.yaml')}`, '--archive', '--stopOnError']);
    expect(Buffer.from(restored().input, 'latin1').equals(await place.content(dumped, path))).toBe(true);
  });

  it('take back one database, under another name', async () => {
    const dumped = await dump();
    await place.restore(dumped, { databases: ['shop'], into: 'other' }, context());
    expect(restored().args.slice(3)).toEqual(['--nsInclude=shop.*', '--nsFrom=shop.*', '--nsTo=other.*']);
    await expect(place.restore(dumped, { databases: ['gone'] }, context())).rejects.toMatchObject({
      code: 'PATH_MISSING',
    });
    await expect(place.restore(dumped, { into: 'other' }, context())).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('replace nothing unless told to', async () => {
    const dumped = await dump();
    await expect(place.restore(dumped, {}, context())).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
      message: expect.stringContaining('3 collections of shop, blog'),
    });
    expect(existsSync(place.path('home/restored'))).toBe(false);
    await place.restore(dumped, { overwrite: true }, context());
    expect(restored().args).toContain('--drop');
  });

  it.each([
    ['that fails', false, /mongodump ended with status 1: .*mongodb:\/\/\*\*\*@db/],
    ['that breaks off and says nothing of it', true, /cut off: the archive is not closed/],
  ])('store nothing of a dump %s', async (_, silent, message) => {
    place.file('home/broken', '');
    if (silent) place.file('home/silent', '');
    const error = await dump().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'SOURCE_UNREADABLE', message: expect.stringMatching(message) });
    expect(String(error)).not.toMatch(/verraten|geheim99/);
  });

  it('are missed when they are not there', async () => {
    const nowhere = place.context({ PATH: '/usr/bin:/bin' });
    await expect(place.dump(input, nowhere)).rejects.toMatchObject({ code: 'HOST_UNSUPPORTED' });
  });
});
