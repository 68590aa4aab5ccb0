import { CairnError } from './errors.ts';

/** Object kinds, one folder each. `config` is a single object named `config`. */
export const OBJECT_KINDS = ['config', 'keys', 'packs', 'index', 'log'] as const;
/** A kind of object, which is the folder that it lies in. */
export type ObjectKind = (typeof OBJECT_KINDS)[number];

/** Names one object of a store. */
export interface ObjectKey {
  readonly kind: ObjectKind;
  readonly name: string;
}

const NAME_PATTERN: Record<ObjectKind, RegExp> = {
  config: /^config$/,
  keys: /^[0-9a-f]{32}$/,
  packs: /^[0-9a-f]{64}$/,
  index: /^[0-9a-f]{64}$/,
  log: /^[0-9a-f]{16}$/,
};

/** True when `name` is a legal object name of that kind. Every adapter checks names given and names listed. */
export function isObjectName(kind: ObjectKind, name: string): boolean {
  return NAME_PATTERN[kind].test(name);
}

/** Rejects with `USAGE` when the key could not be an object of a repository: keeps path tricks out of every store. */
export function assertObjectKey(key: ObjectKey): void {
  if (!OBJECT_KINDS.includes(key.kind) || !isObjectName(key.kind, key.name)) {
    throw new CairnError('USAGE', `not an object name: ${JSON.stringify(key.kind)} ${JSON.stringify(key.name)}`);
  }
}

/** The name of log slot `seq` (from 1): 16 lowercase hex digits, so names sort as numbers. */
export function logName(seq: number): string {
  return seq.toString(16).padStart(16, '0');
}

/** Bytes as hex digits in small letters. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
