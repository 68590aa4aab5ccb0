import { CHECK_NOTES } from '../limits.ts';
import { isDamaged, type DamagedPacks, type DamageNote } from '../log/damage.ts';

/** What was seen of a pack that was read wholly: nothing wrong, chunks that do not open at these places, or all is doubtful. */
export type SeenDamage = 'none' | 'all' | readonly number[];

/** What the log has to be told of packs, given what it knows. Only what is new. */
export function newNotes(seen: ReadonlyMap<string, SeenDamage>, known: DamagedPacks): DamageNote[] {
  const notes: DamageNote[] = [];
  for (const [pack, what] of seen) {
    const before = known.get(pack);
    if (what === 'none') {
      if (before !== undefined) notes.push({ pack, places: [] });
    } else if (before === 'all') continue;
    else if (what === 'all') notes.push({ pack, places: null });
    else if (!what.every((place) => isDamaged(before, place))) {
      const places = [...new Set([...(before ?? []), ...what])].toSorted((a, b) => a - b);
      notes.push({ pack, places: places.length > CHECK_NOTES.places ? null : places });
    }
  }
  return notes;
}

/** The notes in as many parts as they take entries of the log: one, unless the damage is huge; one when there are none. */
export function inEntries(notes: readonly DamageNote[]): (readonly DamageNote[])[] {
  const parts: (readonly DamageNote[])[] = [notes.slice(0, CHECK_NOTES.packs)];
  for (let at = CHECK_NOTES.packs; at < notes.length; at += CHECK_NOTES.packs) {
    parts.push(notes.slice(at, at + CHECK_NOTES.packs));
  }
  return parts;
}
