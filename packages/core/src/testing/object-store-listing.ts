import type { ObjectInfo } from '../ports/object-store.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { OBJECT_KINDS } from '../ids.ts';
import type { Scratch, ScratchCase } from './object-store-scratch.ts';
import { check, checkBytes, listAll } from './object-store-scratch.ts';

/** A store's clock may be wrong, but hours matter: prunes and graces count on it. */
const CLOCK_TOLERANCE_MS = 24 * 3_600_000;
const MANY = 300;
const AT_ONCE = 16;

/** Listings are exact, and fresh. */
export const listingCases: readonly ScratchCase[] = [
  { name: 'lists nothing in an empty store', throwawayOnly: true, run: nothing },
  { name: 'lists an object as soon as its put resolved', run: atOnce },
  { name: `lists ${MANY} objects of all kinds, each once`, run: many },
  { name: 'lists whole objects only while puts are under way', run: whileWriting },
  { name: 'lets a reader break off a listing', run: breakOff },
];

async function nothing(scratch: Scratch): Promise<void> {
  for (const kind of OBJECT_KINDS) {
    const infos = await listAll(scratch.store, kind);
    check(infos.length === 0, `${infos.length} objects of kind ${kind} are listed in an empty store`);
  }
}

async function atOnce(scratch: Scratch): Promise<void> {
  const body = scratch.body(777);
  const keys = [scratch.hashedKey('packs', body), scratch.hashedKey('index', body), scratch.freeKey('keys')];
  if (scratch.throwaway) keys.push(scratch.freeKey('log'), scratch.configKey());
  for (const key of keys) {
    await scratch.store.put(key, body);
    await checkListed(scratch, key.kind, new Map([[key.name, body.length]]));
  }
}

async function many(scratch: Scratch): Promise<void> {
  const expected = new Map<ObjectKind, Map<string, number>>();
  const waiting: { key: ObjectKey; body: Uint8Array }[] = [];
  for (let number = 0; number < MANY; number += 1) {
    const body = scratch.body(1 + number);
    const key = keyInTurn(scratch, number, body);
    waiting.push({ key, body });
    expected.set(key.kind, (expected.get(key.kind) ?? new Map<string, number>()).set(key.name, body.length));
  }
  const worker = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop())
      await scratch.store.put(next.key, next.body);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const [kind, sizes] of expected) await checkListed(scratch, kind, sizes);
}

function keyInTurn(scratch: Scratch, number: number, body: Uint8Array): ObjectKey {
  if (number === 0 && scratch.throwaway) return scratch.configKey();
  if (number % 4 === 1) return scratch.freeKey('keys');
  if (number % 4 === 2) return scratch.hashedKey('index', body);
  if (number % 4 === 3 && scratch.throwaway) return scratch.freeKey('log');
  return scratch.hashedKey('packs', body);
}

/** `sizes` are all objects of that kind in a store for this suite alone, else some of them. */
async function checkListed(scratch: Scratch, kind: ObjectKind, sizes: ReadonlyMap<string, number>): Promise<void> {
  const nowMs = Number(scratch.environment.clock.nowNs() / 1_000_000n);
  const infos = await listAll(scratch.store, kind);
  const byName = new Map(infos.map((info) => [info.name, info]));
  check(byName.size === infos.length, `a listing of ${kind} names an object twice`);
  if (scratch.throwaway) check(infos.length === sizes.size, `${infos.length} of ${kind} listed, not ${sizes.size}`);
  for (const [name, sizeBytes] of sizes) checkInfo(byName.get(name), { kind, name, sizeBytes, receivedMs: nowMs });
}

function checkInfo(info: ObjectInfo | undefined, expected: ObjectInfo): void {
  const label = `${expected.kind} ${expected.name}`;
  check(info !== undefined, `${label} is not listed`);
  check(info.kind === expected.kind, `${label} is listed as ${info.kind}`);
  check(info.sizeBytes === expected.sizeBytes, `${label}: ${info.sizeBytes} bytes listed, not ${expected.sizeBytes}`);
  check(Number.isSafeInteger(info.receivedMs), `${label}: received at ${info.receivedMs}, no whole milliseconds`);
  const differenceMs = Math.abs(info.receivedMs - expected.receivedMs);
  check(differenceMs < CLOCK_TOLERANCE_MS, `${label}: the clock of the store is ${differenceMs} ms off`);
}

async function whileWriting(scratch: Scratch): Promise<void> {
  const bodies = Array.from({ length: 6 }, () => scratch.body(2_000_000));
  const puts = bodies.map((body) => ({ key: scratch.hashedKey('packs', body), body }));
  const byName = new Map(puts.map(({ key, body }) => [key.name, body]));
  const seen = new Set<string>();
  await scratch.whilePutting(puts, async () => {
    for await (const info of scratch.store.list('packs')) {
      const body = byName.get(info.name);
      if (body === undefined) continue;
      check(info.sizeBytes === body.length, `a listing shows ${info.sizeBytes} bytes of an unfinished put`);
      if (seen.has(info.name)) continue;
      seen.add(info.name);
      checkBytes(await scratch.store.get(info), body, 'an object that was listed while puts were under way');
    }
  });
}

async function breakOff(scratch: Scratch): Promise<void> {
  const bodies = [scratch.body(10), scratch.body(10)];
  for (const body of bodies) await scratch.store.put(scratch.hashedKey('packs', body), body);
  let count = 0;
  for await (const info of scratch.store.list('packs')) {
    check(info.kind === 'packs', 'another kind is listed');
    count += 1;
    break;
  }
  check(count === 1, 'nothing is listed');
  check((await listAll(scratch.store, 'packs')).length >= bodies.length, 'after a broken listing the next is short');
}
