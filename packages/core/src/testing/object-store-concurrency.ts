import { isCairnError } from '../errors.ts';
import type { ObjectKey } from '../ids.ts';
import type { Scratch, ScratchCase } from './object-store-scratch.ts';
import { check, checkBytes, checkRejects, listAll, settle } from './object-store-scratch.ts';

const RIVALS = 8;
const ROUNDS = 5;

/** Puts are all or nothing, whoever else is at work and whenever they are cancelled. */
export const concurrencyCases: readonly ScratchCase[] = [
  { name: 'lets exactly one of concurrent puts win', run: oneWinner },
  { name: 'stores one object when the same bytes are put concurrently', run: sameBytes },
  { name: 'never shows a part of an object to a reader', run: noPartialObject },
  { name: 'does nothing when the signal fired before', run: cancelledBefore },
  { name: 'leaves all or nothing when the signal fires during a put', run: cancelledDuring },
];

async function oneWinner(scratch: Scratch): Promise<void> {
  for (const kind of scratch.freeKinds) {
    for (let round = 0; round < ROUNDS; round += 1) {
      const key = scratch.freeKey(kind);
      const bodies = Array.from({ length: RIVALS }, (_, number) => scratch.body(30_000 + number));
      const winner = await raceToPut(scratch, key, bodies);
      checkBytes(await scratch.store.get(key), winner, `the object of the put in ${kind} that resolved`);
    }
  }
}

async function sameBytes(scratch: Scratch): Promise<void> {
  const body = scratch.body(300_000);
  const key = scratch.hashedKey('packs', body);
  await raceToPut(
    scratch,
    key,
    Array.from({ length: RIVALS }, () => body),
  );
  checkBytes(await scratch.store.get(key), body, 'the object');
}

async function raceToPut(scratch: Scratch, key: ObjectKey, bodies: readonly Uint8Array[]): Promise<Uint8Array> {
  const outcomes = await Promise.all(
    bodies.map(async (body) => ({ body, outcome: await settle(scratch.store.put(key, body)) })),
  );
  const winners: Uint8Array[] = [];
  for (const { body, outcome } of outcomes) {
    if (outcome.resolved) winners.push(body);
    else check(isCairnError(outcome.error, 'OBJECT_EXISTS'), `a losing put rejected with ${String(outcome.error)}`);
  }
  const [winner] = winners;
  check(winner !== undefined && winners.length === 1, `${winners.length} of ${bodies.length} puts of one key resolved`);
  return winner;
}

async function noPartialObject(scratch: Scratch): Promise<void> {
  const body = scratch.body(4_000_000);
  const key = scratch.hashedKey('packs', body);
  await scratch.whilePutting([{ key, body }], async () => {
    const outcome = await settle(scratch.store.get(key).then((bytes) => checkBytes(bytes, body, 'an early read')));
    if (!outcome.resolved && !isCairnError(outcome.error, 'OBJECT_MISSING')) throw outcome.error;
  });
  checkBytes(await scratch.store.get(key), body, 'the object');
}

async function cancelledBefore(scratch: Scratch): Promise<void> {
  const signal = AbortSignal.abort();
  const body = scratch.body(1_000);
  const key = scratch.hashedKey('packs', body);
  await checkRejects('CANCELLED', 'put', () => scratch.store.put(key, body, { signal }));
  await checkRejects('OBJECT_MISSING', 'get after a cancelled put', () => scratch.store.get(key));
  await scratch.store.put(key, body);
  await checkRejects('CANCELLED', 'get', () => scratch.store.get(key, { signal }));
  await checkRejects('CANCELLED', 'list', () => listAll(scratch.store, 'packs', signal));
  await checkRejects('CANCELLED', 'delete', () => scratch.store.delete(key, { signal }));
  checkBytes(await scratch.store.get(key), body, 'the object, after a cancelled delete');
}

async function cancelledDuring(scratch: Scratch): Promise<void> {
  for (let delayMs = 0; delayMs < 2 * RIVALS; delayMs += 2) {
    const body = scratch.body(1_500_000);
    const key = scratch.hashedKey('packs', body);
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), delayMs);
    const put = await settle(scratch.store.put(key, body, { signal: controller.signal }));
    clearTimeout(timer);
    if (!put.resolved)
      check(isCairnError(put.error, 'CANCELLED'), `a cancelled put rejected with ${String(put.error)}`);
    const read = await settle(scratch.store.get(key).then((bytes) => checkBytes(bytes, body, 'a cancelled object')));
    if (read.resolved) continue;
    if (!isCairnError(read.error, 'OBJECT_MISSING')) throw read.error;
    check(!put.resolved, 'a put resolved, but left no object');
  }
}
