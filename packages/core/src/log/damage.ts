import type { MsgpackReader, Value } from '../codec/msgpack.ts';
import { toHex } from '../ids.ts';

/** What a CHECK says of one pack. */
export interface DamageNote {
  /** Hex name of the pack. */
  readonly pack: string;
  /**
   * Where its damaged chunks begin, from the start of the object. Null: no chunk of it is to be relied on. None: it is sound,
   * whatever was said before.
   */
  readonly places: readonly number[] | null;
}

/** As MessagePack (format page, section 4.6). */
export function writeDamage(notes: readonly DamageNote[]): Value {
  return notes.map(({ pack, places }) => [Buffer.from(pack, 'hex'), places]);
}

/** Rejects with `CORRUPT` when there is something else. */
export function readDamage(reader: MsgpackReader): DamageNote[] {
  return reader.list((note) => {
    note.tuple(2);
    const pack = toHex(note.fixed(32));
    return { pack, places: note.nil() ? null : note.list((place) => place.uint()) };
  });
}

/** Places in a pack, from the start of the object, or all of it. */
export type DamagedPlaces = ReadonlySet<number> | 'all';

/** Damaged places by pack name. */
export type DamagedPacks = ReadonlyMap<string, DamagedPlaces>;

export const NO_DAMAGE: DamagedPacks = new Map();

/**
 * Damage that checks and repairs noted in the log. Writers store such a chunk again, readers try such a place last: a wrong
 * note costs space and never a chunk.
 */
export class NotedDamage {
  private readonly places = new Map<string, DamagedPlaces>();
  private readonly segments = new Set<string>();

  get packs(): DamagedPacks {
    return this.places;
  }

  /** Index segments that are not read any more. */
  get lostSegments(): ReadonlySet<string> {
    return this.segments;
  }

  /** Takes over what a CHECK says. */
  take(notes: readonly DamageNote[], lostSegments: readonly string[]): void {
    for (const { pack, places } of notes) {
      if (places === null) this.places.set(pack, 'all');
      else if (places.length > 0) this.places.set(pack, new Set(places));
      else this.places.delete(pack);
    }
    for (const name of lostSegments) this.segments.add(name);
  }

  /** Forgets objects that were swept. */
  forget(packs: readonly string[], segments: readonly string[]): void {
    for (const name of packs) this.places.delete(name);
    for (const name of segments) this.segments.delete(name);
  }
}

/** True when the chunk that begins at `offset` is noted as damaged. */
export function isDamaged(places: DamagedPlaces | undefined, offset: number): boolean {
  return places !== undefined && (places === 'all' || places.has(offset));
}
