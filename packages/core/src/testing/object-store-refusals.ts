import type { ObjectKey, ObjectKind } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { Scratch, ScratchCase } from './object-store-scratch.ts';
import { checkRejects, listAll } from './object-store-scratch.ts';

const HEX_32 = '0123456789abcdef0123456789abcdef';
const HEX_64 = `${HEX_32}${HEX_32}`;

const BAD_NAMES: readonly (readonly [ObjectKind, string])[] = [
  ['config', ''],
  ['config', 'CONFIG'],
  ['config', 'config2'],
  ['config', '../config'],
  ['keys', ''],
  ['keys', '.'],
  ['keys', '..'],
  ['keys', '../config'],
  ['keys', HEX_32.slice(1)],
  ['keys', HEX_64],
  ['keys', `${HEX_32.slice(3)}/..`],
  ['packs', '../x'],
  ['packs', HEX_32],
  ['packs', HEX_64.toUpperCase()],
  ['packs', `${HEX_64}0`],
  ['packs', `${HEX_64}\n`],
  ['packs', ` ${HEX_64.slice(1)}`],
  ['packs', `${HEX_64.slice(1)}\0`],
  ['packs', `${HEX_64}\0.tmp`],
  ['packs', `01/${HEX_64}`],
  ['packs', `${HEX_64.slice(1)}g`],
  ['packs', `${HEX_64.slice(1)}٣`],
  ['index', '../../etc/passwd'],
  ['index', `%2e%2e%2f${HEX_64.slice(9)}`],
  ['index', 'config'],
  ['log', '1'],
  ['log', `-${HEX_32.slice(17)}`],
  ['log', HEX_32],
];

/** Kinds that a program without types could pass. */
const BAD_KINDS: readonly string[] = [
  '',
  'PACKS',
  'tmp',
  '..',
  '../packs',
  'packs/',
  'pack',
  '__proto__',
  'constructor',
];

/** What can be no object never reaches the disk or the wire. */
export const refusalCases: readonly ScratchCase[] = [
  { name: 'refuses names that are none', run: badNames },
  { name: 'refuses kinds that are none', run: badKinds },
  { name: 'refuses a body larger than any object may be', run: tooLarge },
];

async function badNames(scratch: Scratch): Promise<void> {
  for (const [kind, name] of BAD_NAMES) await refuses(scratch, { kind, name });
}

async function badKinds(scratch: Scratch): Promise<void> {
  for (const bad of BAD_KINDS) {
    // A lie to the type checker: this is what a store is to find out by itself.
    const kind = bad as ObjectKind;
    await refuses(scratch, { kind, name: HEX_64 });
    await refuses(scratch, { kind, name: 'config' });
    await checkRejects('USAGE', `list of ${JSON.stringify(kind)}`, () => listAll(scratch.store, kind));
  }
}

async function refuses(scratch: Scratch, key: ObjectKey): Promise<void> {
  const label = JSON.stringify([key.kind, key.name]);
  await checkRejects('USAGE', `put of ${label}`, () => scratch.store.put(key, new Uint8Array(1)));
  await checkRejects('USAGE', `get of ${label}`, () => scratch.store.get(key));
  await checkRejects('USAGE', `delete of ${label}`, () => scratch.store.delete(key));
}

async function tooLarge(scratch: Scratch): Promise<void> {
  const key = scratch.freeKey('keys');
  const body = new Uint8Array(LIMITS.packBytes + 1);
  await checkRejects('LIMIT_EXCEEDED', 'put', () => scratch.store.put(key, body));
  await checkRejects('OBJECT_MISSING', 'get', () => scratch.store.get(key));
}
