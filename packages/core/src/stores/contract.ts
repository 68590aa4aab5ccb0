import { CairnError } from '../errors.ts';
import type { ObjectKey } from '../ids.ts';
import { assertObjectKey, OBJECT_KINDS } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { ByteRange } from '../ports/object-store.ts';

/** What every adapter checks in the same way before it touches anything. */

/** The object as messages name it, and as its path begins: `config`, `packs/NAME`. */
export function objectLabel({ kind, name }: ObjectKey): string {
  return kind === 'config' ? name : `${kind}/${name}`;
}

/** Rejects with `USAGE` when `kind` comes from outside the type system and is none. */
export function assertObjectKind(kind: string): void {
  if (!(OBJECT_KINDS as readonly string[]).includes(kind)) {
    throw new CairnError('USAGE', `not an object kind: ${JSON.stringify(kind)}`);
  }
}

/** Rejects with `USAGE` for a bad key and with `LIMIT_EXCEEDED` for a body larger than any object may be. */
export function assertPut(key: ObjectKey, body: Uint8Array): void {
  assertObjectKey(key);
  assertObjectBytes(key, body.length);
}

/** Rejects with `USAGE` for a bad key or range, and with `LIMIT_EXCEEDED` for a range larger than any object may be. */
export function assertGet(key: ObjectKey, range: ByteRange | undefined): void {
  assertObjectKey(key);
  if (range === undefined) return;
  if (!isCount(range.offset) || !isCount(range.length)) {
    throw new CairnError('USAGE', `not a byte range: ${range.length} bytes from ${range.offset}`);
  }
  assertObjectBytes(key, range.length);
}

/** Bounds what one object makes a reader allocate: a store may be hostile. The pack is the largest kind. */
export function assertObjectBytes(key: ObjectKey, bytes: number): void {
  if (bytes > LIMITS.packBytes) {
    throw new CairnError(
      'LIMIT_EXCEEDED',
      `${objectLabel(key)}: ${bytes} bytes are more than an object may have (${LIMITS.packBytes})`,
    );
  }
}

/** The part of an object of `sizeBytes` that is asked for. Rejects with `OBJECT_MISSING` when the object ends before it. */
export function resolveRange(key: ObjectKey, sizeBytes: number, range: ByteRange | undefined): ByteRange {
  if (range === undefined) {
    assertObjectBytes(key, sizeBytes);
    return { offset: 0, length: sizeBytes };
  }
  if (range.offset + range.length > sizeBytes) throw tooShort(key, sizeBytes, range);
  return range;
}

export function tooShort(key: ObjectKey, sizeBytes: number, { offset, length }: ByteRange): CairnError {
  return new CairnError(
    'OBJECT_MISSING',
    `${objectLabel(key)} is too short: it has ${sizeBytes} bytes, and ${length} bytes from ${offset} are asked for`,
    { hint: 'Run `cairn check` to learn what is affected.' },
  );
}

/** The error of a store that has no such object. */
export function objectMissing(key: ObjectKey, where: string, cause?: unknown): CairnError {
  return new CairnError('OBJECT_MISSING', `${objectLabel(key)} is absent from ${where}`, { cause });
}

/** The error of a store that has such an object already. */
export function objectExists(key: ObjectKey, where: string, cause?: unknown): CairnError {
  return new CairnError('OBJECT_EXISTS', `${objectLabel(key)} is already in ${where}`, {
    hint: 'Objects are never overwritten; read it and compare.',
    cause,
  });
}

/** Rejects with `CANCELLED` when the signal has fired. `what` names the action and its object. */
export function throwIfCancelled(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted === true) throw new CairnError('CANCELLED', `cancelled: ${what}`, { cause: signal.reason });
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
