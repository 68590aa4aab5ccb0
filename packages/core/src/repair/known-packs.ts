import { isDamage, type CheckContext } from '../check/context.ts';
import { TreeMark, type Marks } from '../collect/tree-mark.ts';
import type { ChunkOpener } from '../crypto/chunk-crypto.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { IdSet } from '../index/id-set.ts';
import { IndexLookup } from '../index/index-lookup.ts';
import { ChunkReader } from '../pack/chunk-reader.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import type { ListedChunk, PackTable } from './salvage.ts';

/**
 * What packs hold whose own header cannot be opened: index segments say where each chunk is, and half of its id; the trees of
 * archives say the whole id, without which it cannot be opened. So these are the chunks that archives need, as far as trees
 * can be read; none with a key that opens no trees.
 */
export async function learnPacks(
  context: CheckContext,
  opener: ChunkOpener,
  index: ChunkIndex,
  names: ReadonlySet<string>,
): Promise<Map<string, PackTable>> {
  const numbers = new Set(index.packs.flatMap(({ name }, number) => (names.has(name) ? [number] : [])));
  const ids = numbers.size === 0 ? new Map<string, Uint8Array>() : await idsIn(context, opener, index, numbers);
  const lookup = new IndexLookup(index.shared);
  const tables = new Map<string, PackTable & { readonly chunks: ListedChunk[] }>();
  for (const id of ids.values()) {
    for (let at = lookup.find(id); at !== -1; at = lookup.find(id, at)) {
      const { pack: number, type, offset: start, storedLength, session } = lookup.place(at);
      const pack = index.packs[number];
      if (pack === undefined || !numbers.has(number)) continue;
      const { name, kind, sessions } = pack;
      const table = tables.get(name) ?? { kind, sessions, chunks: [] };
      // Two segments that contradict each other about a pack: what the first says counts.
      if (table.sessions !== sessions) continue;
      table.chunks.push({ type, id, session, start, storedLength, rawLength: undefined });
      tables.set(name, table);
    }
  }
  return tables;
}

/** Whole ids of the chunks in these packs that archives need, by their first half. */
async function idsIn(
  context: CheckContext,
  opener: ChunkOpener,
  index: ChunkIndex,
  packs: ReadonlySet<number>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { access, store, signal } = context;
  const { skM, psk, idMeta } = access.keys;
  const ids = new Map<string, Uint8Array>();
  if (skM === undefined || psk === undefined || idMeta === undefined) return ids;
  const lookup = new IndexLookup(index.shared);
  const visited = new IdSet();
  const marks: Marks = {
    mark(_, id) {
      for (let at = lookup.find(id); at !== -1; at = lookup.find(id, at)) {
        if (packs.has(lookup.packAt(at)))
          ids.set(Buffer.from(id.subarray(0, 16)).toString('latin1'), new Uint8Array(id));
      }
    },
    visit: (_, id) => visited.add(id),
  };
  const reading = { store, log: access.log, reloadIndex: () => Promise.resolve(index) };
  const source = new ChunkReader(reading, opener, index);
  const walk = new TreeMark(marks, source, access.suite, () => throwIfCancelled(signal, 'repair'));
  for (const archive of access.log.state.archives.values()) {
    if (archive.state === 'dropped') continue;
    try {
      await walk.archive(archive);
    } catch (error) {
      // What comes after the damage is not known; other archives may tell.
      if (!isDamage(error)) throw error;
    }
  }
  return ids;
}
