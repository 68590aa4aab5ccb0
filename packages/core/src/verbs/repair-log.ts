import { CairnError, invariant, isCairnError } from '../errors.ts';
import { MemoryClientState } from '../host/memory-client-state.ts';
import { logName, type ObjectKey, type ObjectKind } from '../ids.ts';
import { decodeLogFrame } from '../log/entry.ts';
import type { SeenHead } from '../ports/client-state.ts';
import type { CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import { RepositoryAccess, requireSecret, type AccessOptions } from '../repository/access.ts';
import { objectMissing } from '../stores/contract.ts';

/** A store that can take an object out of the way without destroying it, as `DirectoryStore` does. */
export interface AsideStore extends ObjectStore {
  /** @param isWhole true for bytes that must stay where they are. */
  setAside(key: ObjectKey, isWhole: (bytes: Uint8Array) => boolean): Promise<void>;
}

export interface LogRepairOptions extends AccessOptions {
  readonly store: AsideStore;
}

/** A newest entry of the log that cannot be read, and is going to be set aside. */
export interface LogRepairPlan {
  /** Its number. What entries before it decided stays. */
  readonly seq: number;
  readonly sizeBytes: number;
  /** What is wrong with it. */
  readonly reason: string;
  /** This machine saw it when it was whole: then what it decided counted, and is lost with it. */
  readonly seen: boolean;
  /** The store as it is going to be, to be read only. */
  readonly earlier: ObjectStore;
}

/**
 * Looks whether the newest entry of the log is damaged, and nothing else of the log; undefined when it is not. Rejects with
 * `CORRUPT` or `OBJECT_MISSING` when an earlier entry is damaged, with `ROLLBACK_DETECTED` when this machine saw later ones, and
 * as `RepositoryAccess.open` does.
 */
export async function planLogRepair(options: LogRepairOptions): Promise<LogRepairPlan | undefined> {
  const { store } = options;
  const seq = await newestSlot(store);
  if (seq === 0) return undefined;
  const object = await store.get({ kind: 'log', name: logName(seq) });
  const reason = damageOf(options, seq, object);
  if (reason === undefined) return undefined;
  const { id, earlier } = await openEarlier(options, seq);
  const pinned = await options.clientState.readHead(id);
  if (pinned !== undefined && pinned.seq > seq) {
    throw new CairnError('ROLLBACK_DETECTED', `this machine saw log entry ${pinned.seq}, and there are ${seq}`, {
      hint: 'More than the newest entry is gone. Bring the folder log/ back from a copy.',
    });
  }
  return { seq, sizeBytes: object.length, reason, seen: pinned?.seq === seq, earlier };
}

/**
 * Sets the entry aside and lets this machine forget that it saw it; other machines that saw it notice, and say so. Rejects with
 * `PLAN_STALE` when the log is not as it was planned, and like the store. Nobody else may use the repository meanwhile.
 */
export async function applyLogRepair(options: LogRepairOptions, plan: LogRepairPlan): Promise<void> {
  const { store, clientState } = options;
  const { seq } = plan;
  if ((await newestSlot(store)) !== seq) {
    throw new CairnError('PLAN_STALE', 'the log has changed since the repair was planned', { hint: 'Plan it again.' });
  }
  const { id, head } = await openEarlier(options, seq);
  // Before that: an interrupted repair can then be made again.
  if (plan.seen) await clientState.writeHead(id, head);
  await store.setAside({ kind: 'log', name: logName(seq) }, (bytes) => damageOf(options, seq, bytes) === undefined);
}

/** Number of the entry in the last slot. A gap before it shows when the log is read. */
async function newestSlot(store: ObjectStore): Promise<number> {
  let newest = '';
  for await (const { name } of store.list('log')) if (name > newest) newest = name;
  return newest === '' ? 0 : Number.parseInt(newest, 16);
}

/** Undefined when a writer with the key made it: what is wrong with such an entry is not that it was cut short. */
function damageOf({ suite, keys }: LogRepairOptions, seq: number, object: Uint8Array): string | undefined {
  try {
    decodeLogFrame(suite, requireSecret(keys, 'log', 'read the log'), object, `log entry ${seq}`);
    return undefined;
  } catch (error) {
    if (!isCairnError(error, 'CORRUPT')) throw error;
    return error.message;
  }
}

/** Reads the log without that entry. Rejects when something is wrong with it all the same. */
async function openEarlier(
  options: LogRepairOptions,
  seq: number,
): Promise<{ readonly id: string; readonly head: SeenHead; readonly earlier: ObjectStore }> {
  const earlier = new EarlierLog(options.store, seq);
  const clientState = new MemoryClientState();
  const { id } = await RepositoryAccess.open({ ...options, store: earlier, clientState });
  const head = await clientState.readHead(id);
  invariant(head !== undefined, 'who opens a log remembers its head');
  return { id, earlier, head };
}

/** A store whose log ends before an entry. */
class EarlierLog implements ObjectStore {
  private readonly inner: ObjectStore;
  private readonly end: string;

  constructor(inner: ObjectStore, seq: number) {
    this.inner = inner;
    this.end = logName(seq);
  }

  get description(): string {
    return this.inner.description;
  }

  get localPath(): string | undefined {
    return this.inner.localPath;
  }

  put(key: ObjectKey): Promise<void> {
    return Promise.reject(new CairnError('STORE_DENIED', `${this.description} is read only: ${key.kind} is not put`));
  }

  async get(key: ObjectKey, options?: Parameters<ObjectStore['get']>[1]): Promise<Uint8Array> {
    if (key.kind === 'log' && key.name >= this.end) throw objectMissing(key, this.description);
    return await this.inner.get(key, options);
  }

  async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
    for await (const info of this.inner.list(kind, options)) {
      if (kind !== 'log' || info.name < this.end) yield info;
    }
  }

  delete(key: ObjectKey): Promise<void> {
    return this.put(key);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The store itself is somebody else's.
  }
}
