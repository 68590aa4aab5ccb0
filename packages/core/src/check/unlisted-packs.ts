import { RECORD_BYTES, type IndexedPack, type IndexSegment } from '../index/segment.ts';
import { PACK_RECORD_BYTES } from '../pack/layout.ts';
import { readPackHeader } from '../pack/read-header.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { isDamage, packAccess, type CheckContext } from './context.ts';

/**
 * What an index segment would say about packs that none lists, from their own headers. Its records are not in order. Packs
 * whose header cannot be read are left out: nothing is known of them but their name.
 */
export async function readUnlistedPacks(
  context: CheckContext,
  sizes: ReadonlyMap<string, number>,
): Promise<IndexSegment> {
  const packs: IndexedPack[] = [];
  const records: Buffer[] = [];
  for (const [name, sizeBytes] of sizes) {
    throwIfCancelled(context.signal, 'check');
    try {
      const header = await readPackHeader(packAccess(context), name, sizeBytes, undefined);
      const { kind, sessions, dataStart } = header;
      records.push(indexRecords(header.records, packs.length));
      packs.push({ name, sizeBytes, dataStart, kind, sessions });
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (error.code === 'OBJECT_MISSING' && (await isSweptNow(context, name))) continue;
      context.findings.add('pack-damaged', {
        object: `packs/${name}`,
        message: `this pack is damaged: ${error.message}`,
        hint: 'Copy it from another copy of the store. No index segment lists it, so it may be the rest of a failed upload.',
      });
    }
  }
  return { packs, records: Buffer.concat(records) };
}

async function isSweptNow({ access }: CheckContext, name: string): Promise<boolean> {
  await access.log.refresh();
  return access.log.state.sweptPacks.has(name);
}

/** The records of a pack's header in the form of a segment. */
function indexRecords(header: Buffer, pack: number): Buffer {
  const records = Buffer.alloc((header.length / PACK_RECORD_BYTES) * RECORD_BYTES);
  for (let from = 0, to = 0; from < header.length; from += PACK_RECORD_BYTES, to += RECORD_BYTES) {
    header.copy(records, to, from + 16, from + 32);
    records.writeUInt32LE(pack, to + 16);
    header.copy(records, to + 20, from + 4, from + 16);
    header.copy(records, to + 32, from + 2, from + 4);
    records[to + 34] = header[from] as number;
  }
  return records;
}
