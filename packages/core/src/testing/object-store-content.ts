import { LIMITS } from '../limits.ts';
import type { ByteRange } from '../ports/object-store.ts';
import type { Scratch, ScratchCase } from './object-store-scratch.ts';
import { check, checkBytes, checkRejects } from './object-store-scratch.ts';

const MiB = 1_048_576;

/** What is put is what one gets, and nothing but `delete` changes that. */
export const contentCases: readonly ScratchCase[] = [
  ...[0, 1, 4_097, MiB, 20 * MiB].map((bytes) => ({
    name: `gives back an object of ${bytes} bytes`,
    run: (scratch: Scratch) => roundTrip(scratch, bytes),
  })),
  { name: 'keeps every kind', throwawayOnly: true, run: everyKind },
  { name: 'takes a body that is a part of a larger buffer', run: partOfBuffer },
  { name: 'never overwrites', run: neverOverwrites },
  { name: 'keeps kinds apart', run: kindsApart },
  { name: 'keeps its own copy of a body', run: ownCopyOfBody },
  { name: 'gives bytes that belong to the caller', run: ownCopyForReader },
  { name: 'gives the range that is asked for', run: ranges },
  { name: 'rejects a range that the object does not have', run: rangesBeyond },
  { name: 'rejects a get of an absent object', run: absentObject },
  { name: 'deletes, also what is absent', run: deletes },
];

async function roundTrip(scratch: Scratch, bytes: number): Promise<void> {
  const body = scratch.body(bytes);
  const key = scratch.hashedKey('packs', body);
  await scratch.store.put(key, body);
  checkBytes(await scratch.store.get(key), body, 'the object');
}

async function everyKind(scratch: Scratch): Promise<void> {
  const body = scratch.body(1_000);
  const keys = [
    scratch.configKey(),
    scratch.freeKey('keys'),
    scratch.hashedKey('packs', body),
    scratch.hashedKey('index', body),
    scratch.freeKey('log'),
  ];
  for (const key of keys) await scratch.store.put(key, body);
  for (const key of keys) checkBytes(await scratch.store.get(key), body, `the object of kind ${key.kind}`);
}

async function partOfBuffer(scratch: Scratch): Promise<void> {
  const body = scratch.body(1_000).subarray(100, 900);
  const key = scratch.hashedKey('index', body);
  await scratch.store.put(key, body);
  checkBytes(await scratch.store.get(key), body, 'the object');
}

async function neverOverwrites(scratch: Scratch): Promise<void> {
  for (const kind of scratch.freeKinds) {
    const key = scratch.freeKey(kind);
    const first = scratch.body(500);
    await scratch.store.put(key, first);
    for (const second of [scratch.body(500), scratch.body(900), scratch.body(10), first]) {
      await checkRejects('OBJECT_EXISTS', `second put in ${kind}`, () => scratch.store.put(key, second));
      checkBytes(await scratch.store.get(key), first, `the first object in ${kind}`);
    }
  }
  const body = scratch.body(500);
  const key = scratch.hashedKey('packs', body);
  await scratch.store.put(key, body);
  await checkRejects('OBJECT_EXISTS', 'second put of a pack', () => scratch.store.put(key, body));
}

async function kindsApart(scratch: Scratch): Promise<void> {
  const body = scratch.body(500);
  const pack = scratch.hashedKey('packs', body);
  const index = scratch.hashedKey('index', body);
  await scratch.store.put(pack, body);
  await checkRejects('OBJECT_MISSING', 'get of the same name of another kind', () => scratch.store.get(index));
  await scratch.store.put(index, body);
  await scratch.store.delete(pack);
  checkBytes(await scratch.store.get(index), body, 'the index segment, after the pack of its name was deleted');
}

async function ownCopyOfBody(scratch: Scratch): Promise<void> {
  const body = scratch.body(5_000);
  const key = scratch.freeKey('keys');
  const expected = new Uint8Array(body);
  await scratch.store.put(key, body);
  body.fill(0);
  checkBytes(await scratch.store.get(key), expected, 'the object, after the body that was put was changed');
}

async function ownCopyForReader(scratch: Scratch): Promise<void> {
  const body = scratch.body(5_000);
  const key = scratch.freeKey('keys');
  await scratch.store.put(key, body);
  const whole = await scratch.store.get(key);
  const part = await scratch.store.get(key, { range: { offset: 10, length: 100 } });
  checkBytes(part, body.subarray(10, 110), 'the part');
  part.fill(0);
  checkBytes(whole, body, 'the bytes of an earlier get, after those of a later one were changed');
  // Over the whole memory behind them, which the caller may also hand to another thread.
  new Uint8Array(whole.buffer).fill(0);
  checkBytes(await scratch.store.get(key), body, 'the object, after bytes that were read were changed');
}

async function ranges(scratch: Scratch): Promise<void> {
  const body = scratch.body(100_000);
  const key = scratch.hashedKey('packs', body);
  await scratch.store.put(key, body);
  const wanted: readonly ByteRange[] = [
    { offset: 0, length: 1 },
    { offset: 0, length: 100_000 },
    { offset: 40_000, length: 30_000 },
    { offset: 99_999, length: 1 },
    { offset: 65_536, length: 34_464 },
    { offset: 0, length: 0 },
    { offset: 50, length: 0 },
    { offset: 100_000, length: 0 },
  ];
  for (const range of wanted) {
    const expected = body.subarray(range.offset, range.offset + range.length);
    checkBytes(await scratch.store.get(key, { range }), expected, `${range.length} bytes from ${range.offset}`);
  }
}

async function rangesBeyond(scratch: Scratch): Promise<void> {
  const body = scratch.body(1_000);
  const key = scratch.hashedKey('packs', body);
  await scratch.store.put(key, body);
  const attempt = (offset: number, length: number) => () => scratch.store.get(key, { range: { offset, length } });
  await checkRejects('OBJECT_MISSING', 'one byte too many', attempt(0, 1_001));
  await checkRejects('OBJECT_MISSING', 'across the end', attempt(900, 200));
  await checkRejects('OBJECT_MISSING', 'from the end', attempt(1_000, 1));
  await checkRejects('OBJECT_MISSING', 'beyond the end', attempt(5_000, 10));
  await checkRejects('OBJECT_MISSING', 'nothing, beyond the end', attempt(1_001, 0));
  await checkRejects('USAGE', 'a negative offset', attempt(-1, 10));
  await checkRejects('USAGE', 'a negative length', attempt(0, -1));
  await checkRejects('USAGE', 'half a byte', attempt(0.5, 10));
  await checkRejects('USAGE', 'no number', attempt(0, Number.NaN));
  await checkRejects('LIMIT_EXCEEDED', 'more than an object may have', attempt(0, LIMITS.packBytes + 1));
}

async function absentObject(scratch: Scratch): Promise<void> {
  const body = scratch.body(100);
  for (const key of [scratch.hashedKey('packs', body), scratch.hashedKey('index', body), scratch.freeKey('keys')]) {
    await checkRejects('OBJECT_MISSING', `get of absent ${key.kind}`, () => scratch.store.get(key));
    const range = { offset: 0, length: 0 };
    await checkRejects('OBJECT_MISSING', `range of absent ${key.kind}`, () => scratch.store.get(key, { range }));
  }
}

async function deletes(scratch: Scratch): Promise<void> {
  const body = scratch.body(100);
  const key = scratch.hashedKey('packs', body);
  const other = scratch.freeKey('keys');
  await scratch.store.delete(key);
  await scratch.store.put(key, body);
  await scratch.store.put(other, body);
  await scratch.store.delete(key);
  await checkRejects('OBJECT_MISSING', 'get after delete', () => scratch.store.get(key));
  await scratch.store.delete(key);
  for await (const info of scratch.store.list('packs')) check(info.name !== key.name, 'a deleted object is listed');
  checkBytes(await scratch.store.get(other), body, 'another object, after one was deleted');
}
