import type { MountedArchive } from './mounted-archive.ts';
import { grown } from './grown.ts';
import { directoryNode, FIRST_FREE } from './nodes.ts';
import { Refusal } from './refusal.ts';
import { mixed, SlotIndex } from './slot-index.ts';

/** A directory of an archive that somebody looked at. What it says stays true; what it leads to may be forgotten meanwhile. */
export class KnownDirectory {
  readonly number: number;
  readonly archive: MountedArchive;
  /** Which entry of the parent it is. */
  readonly ordinal: number;
  /** What `..` of it is: the node of the parent, or of the directory that the archive is shown in. */
  readonly parentNode: number;
  private readonly table: DirectoryTable;
  private readonly parentNumber: number | undefined;

  constructor(
    table: DirectoryTable,
    what: Pick<KnownDirectory, 'number' | 'archive' | 'ordinal' | 'parentNode'>,
    parentNumber?: number,
  ) {
    this.table = table;
    this.number = what.number;
    this.archive = what.archive;
    this.ordinal = what.ordinal;
    this.parentNode = what.parentNode;
    this.parentNumber = parentNumber;
  }

  get node(): number {
    return directoryNode(this.number);
  }

  /** Undefined for the root of the archive. Throws ESTALE when it was forgotten. */
  get parent(): KnownDirectory | undefined {
    if (this.parentNumber === undefined) return undefined;
    const parent = this.table.find(this.parentNumber);
    if (parent === undefined) throw new Refusal('ESTALE');
    return parent;
  }

  /** Counts a look-up: it stays known until that is forgotten. */
  look(): void {
    this.table.look(this.number);
  }
}

/** What is kept of each directory below the root of an archive, by slot: 32 bytes, and about 15 in the two indexes. */
const COLUMNS = ['number', 'parent', 'ordinal', 'root', 'lookups', 'child', 'next', 'previous'] as const;
type Columns = Readonly<Record<(typeof COLUMNS)[number], Uint32Array>>;

const FIRST_SLOTS = 64;
/** No slot: above the directories of a root, and at the ends of lists. */
const NONE = 0xffff_ffff;

/**
 * The directories that the kernel knows, or that lead to one: a kernel with much memory knows all that anybody ever saw. Numbers are
 * given once and never again.
 */
export class DirectoryTable {
  private readonly roots: KnownDirectory[] = [];
  private readonly rootsByNumber = new Map<number, KnownDirectory>();
  private columns: Columns = columnsOf(FIRST_SLOTS);
  private readonly byNumber = new SlotIndex((slot) => mixed(this.at('number', slot), 0));
  private readonly byPlace = new SlotIndex((slot) => mixed(this.parentNumber(slot), this.at('ordinal', slot) + 1));
  /** Slots that were used so far, and the first of those that are free again: a list. */
  private slots = 0;
  private free = NONE;
  private known = 0;
  private nextNumber = FIRST_FREE;

  /** How many are known. */
  get size(): number {
    return this.roots.length + this.known;
  }

  /** A fresh number for a directory that is kept elsewhere. */
  takeNumber(): number {
    return this.nextNumber++;
  }

  find(number: number): KnownDirectory | undefined {
    const slot = this.slotOf(number);
    return slot === NONE ? this.rootsByNumber.get(number) : this.directoryIn(slot);
  }

  /** The root of an archive, which stays known. */
  addRoot(archive: MountedArchive, number: number, parentNode: number): KnownDirectory {
    const root = new KnownDirectory(this, { number, archive, ordinal: this.roots.length, parentNode });
    this.roots.push(root);
    this.rootsByNumber.set(number, root);
    return root;
  }

  /** The directory that is entry `ordinal` of `parent`. Throws ESTALE when that was forgotten. */
  child(parent: KnownDirectory, ordinal: number): KnownDirectory {
    const known = this.byPlace.find(mixed(parent.number, ordinal + 1), (slot) => {
      return this.at('ordinal', slot) === ordinal && this.parentNumber(slot) === parent.number;
    });
    if (known !== undefined) return this.directoryIn(known);
    const above = this.slotOf(parent.number);
    const root = above === NONE ? this.rootsByNumber.get(parent.number)?.ordinal : this.at('root', above);
    if (root === undefined) throw new Refusal('ESTALE');
    return this.directoryIn(this.add(above, root, ordinal));
  }

  /** The kernel was told of it, so it stays known until that is forgotten. */
  look(number: number): void {
    const slot = this.slotOf(number);
    if (slot !== NONE) this.set('lookups', slot, this.at('lookups', slot) + 1);
  }

  /** The kernel forgot so many look-ups. What it does not know any more, and leads nowhere, goes. */
  forget(number: number, count: number): void {
    let slot = this.slotOf(number);
    if (slot === NONE) return;
    this.set('lookups', slot, Math.max(0, this.at('lookups', slot) - count));
    if (this.at('lookups', slot) === 0) this.dropUnseen(slot);
    while (slot !== NONE && this.leadsNowhere(slot)) {
      const above = this.at('parent', slot);
      this.drop(slot);
      slot = above;
    }
  }

  /** Takes away children that have a number because their names were listed, and that nobody looked up. */
  private dropUnseen(slot: number): void {
    for (let child = this.at('child', slot); child !== NONE;) {
      const next = this.at('next', child);
      if (this.leadsNowhere(child)) this.drop(child);
      child = next;
    }
  }

  private leadsNowhere(slot: number): boolean {
    return this.at('lookups', slot) === 0 && this.at('child', slot) === NONE;
  }

  private add(parent: number, root: number, ordinal: number): number {
    const slot = this.freeSlot();
    const next = parent === NONE ? NONE : this.at('child', parent);
    const row = { number: this.takeNumber(), parent, ordinal, root, lookups: 0, child: NONE, next, previous: NONE };
    for (const column of COLUMNS) this.set(column, slot, row[column]);
    if (next !== NONE) this.set('previous', next, slot);
    if (parent !== NONE) this.set('child', parent, slot);
    this.byNumber.add(slot);
    this.byPlace.add(slot);
    this.known += 1;
    return slot;
  }

  private drop(slot: number): void {
    const [parent, next, previous] = [this.at('parent', slot), this.at('next', slot), this.at('previous', slot)];
    if (next !== NONE) this.set('previous', next, previous);
    if (previous !== NONE) this.set('next', previous, next);
    else if (parent !== NONE) this.set('child', parent, next);
    this.byNumber.remove(slot);
    this.byPlace.remove(slot);
    this.known -= 1;
    this.set('next', slot, this.free);
    this.free = slot;
  }

  private freeSlot(): number {
    if (this.free === NONE) {
      if (this.slots === this.columns.number.length) this.columns = columnsOf(2 * this.slots, this.columns);
      return this.slots++;
    }
    const slot = this.free;
    this.free = this.at('next', slot);
    return slot;
  }

  private directoryIn(slot: number): KnownDirectory {
    const number = this.at('number', slot);
    const parentNumber = this.parentNumber(slot);
    const { archive } = this.roots[this.at('root', slot)] as KnownDirectory;
    const what = { number, archive, ordinal: this.at('ordinal', slot), parentNode: directoryNode(parentNumber) };
    return new KnownDirectory(this, what, parentNumber);
  }

  private parentNumber(slot: number): number {
    const parent = this.at('parent', slot);
    return parent === NONE ? (this.roots[this.at('root', slot)] as KnownDirectory).number : this.at('number', parent);
  }

  private slotOf(number: number): number {
    return this.byNumber.find(mixed(number, 0), (slot) => this.at('number', slot) === number) ?? NONE;
  }

  private at(column: keyof Columns, slot: number): number {
    return this.columns[column][slot] as number;
  }

  private set(column: keyof Columns, slot: number, value: number): void {
    this.columns[column][slot] = value;
  }
}

function columnsOf(slots: number, before?: Columns): Columns {
  const column = (name: keyof Columns): Uint32Array => grown(before?.[name] ?? new Uint32Array(0), slots);
  return Object.fromEntries(COLUMNS.map((name) => [name, column(name)])) as Columns;
}
