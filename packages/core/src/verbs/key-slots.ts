import { CairnError, isCairnError } from '../errors.ts';
import { encodeSlot, parseSlot, type Slot } from '../keys/slot.ts';
import type { ObjectStore } from '../ports/object-store.ts';

/** Slots that a store may have: what bounds the work when somebody hostile puts many. */
const MOST_SLOTS = 1_000;
/** Digits that are enough to name one slot. */
const LEAST_DIGITS = 4;

/** An object among the slots that is none, or that this program does not know. */
export interface UnreadableSlot {
  /** Object name, 32 hex digits. */
  readonly uid: string;
  readonly error: CairnError;
}

/** The key slots of a store, and those among them that cannot be read. */
export interface StoredSlots {
  /** Ascending by time of creation as each slot says, then by name. */
  readonly slots: readonly Slot[];
  readonly unreadable: readonly UnreadableSlot[];
}

/**
 * The key slots of a store. No key is needed, and nothing that they say is proved. Rejects with what the store rejects with,
 * and with `LIMIT_EXCEEDED` when there are more than a thousand.
 */
export async function listSlots(store: ObjectStore): Promise<StoredSlots> {
  const slots: Slot[] = [];
  const unreadable: UnreadableSlot[] = [];
  for await (const { name } of store.list('keys')) {
    if (slots.length + unreadable.length >= MOST_SLOTS) {
      throw new CairnError('LIMIT_EXCEEDED', `${store.description} has more than ${MOST_SLOTS} key slots`, {
        hint: 'Find out who put them there; a key file opens the repository without them.',
      });
    }
    try {
      const slot = await readSlot(store, name);
      if (slot !== undefined) slots.push(slot);
    } catch (error) {
      if (!isCairnError(error) || !['CORRUPT', 'FORMAT_UNSUPPORTED', 'LIMIT_EXCEEDED'].includes(error.code))
        throw error;
      unreadable.push({ uid: name, error });
    }
  }
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  slots.sort((a, b) => order(a.created, b.created) || order(a.uid, b.uid));
  return { slots, unreadable };
}

async function readSlot(store: ObjectStore, name: string): Promise<Slot | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await store.get({ kind: 'keys', name });
  } catch (error) {
    // Removed since it was listed.
    if (isCairnError(error, 'OBJECT_MISSING')) return undefined;
    throw error;
  }
  const slot = parseSlot(bytes);
  if (slot.uid === name) return slot;
  throw new CairnError('CORRUPT', `key slot ${name} says that it is ${slot.uid}`, {
    hint: 'Somebody copied or renamed it; remove it.',
  });
}

/** Puts a slot into the store. Rejects like `ObjectStore.put`. */
export async function storeSlot(store: ObjectStore, slot: Slot): Promise<void> {
  await store.put({ kind: 'keys', name: slot.uid }, encodeSlot(slot));
}

/** Removes a slot; `uid` from `findSlot`. Whoever opened it before keeps the key. Rejects like `ObjectStore.delete`. */
export async function removeSlot(store: ObjectStore, uid: string): Promise<void> {
  await store.delete({ kind: 'keys', name: uid });
}

/**
 * The name of the slot that a person means: the whole name or the beginning of it (4 digits or more), if only one has it,
 * readable or not. Rejects with `USAGE`.
 */
export function findSlot(stored: StoredSlots, text: string): string {
  const digits = text.toLowerCase();
  const names = [...stored.slots, ...stored.unreadable].map(({ uid }) => uid);
  const found = digits.length < LEAST_DIGITS ? [] : names.filter((name) => name.startsWith(digits));
  const [name] = found;
  if (name !== undefined && found.length === 1) return name;
  throw new CairnError(
    'USAGE',
    `${found.length === 0 ? 'no key slot has' : 'several key slots have'} the name ${text}`,
    {
      hint: 'See the names with `cairn key slot list`; the first four digits or more will do.',
    },
  );
}
