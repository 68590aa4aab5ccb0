/** What a repository server needs beside the public names: a store that takes objects in pieces, and the log without a key. */
export { DirectoryStore } from './stores/directory.ts';
export { IncomingObject } from './stores/directory-incoming.ts';
export { StoredObject } from './stores/stored-object.ts';
export * from './stores/wire-protocol.ts';
export { objectExists, objectLabel, objectMissing } from './stores/contract.ts';
export { Decisions, type ArchiveStanding } from './log/decisions.ts';
export { decodeDecision, type Decision, type LogKind } from './log/decision.ts';
export { OneAtATime } from './flow/one-at-a-time.ts';
export { readLogFrame } from './log/entry.ts';
export { isPassedOver } from './log/unreadable.ts';
export {
  CairnError,
  ERROR_TABLE,
  invariant,
  isCairnError,
  knownError,
  systemErrorCode,
  type ErrorCode,
} from './errors.ts';
export { isObjectName, logName, OBJECT_KINDS, toHex, type ObjectKey, type ObjectKind } from './ids.ts';
export { LIMITS } from './limits.ts';
export type { ByteRange, ObjectInfo } from './ports/object-store.ts';
export type { Clock, Environment, Random } from './ports/environment.ts';
export { systemEnvironment } from './host/environment.ts';
export { letHeapGrow } from './host/memory.ts';
