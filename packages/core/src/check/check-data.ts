import { throwIfCancelled } from '../stores/contract.ts';
import { isDamage, type CheckContext } from './context.ts';
import type { Inventory } from './inventory.ts';
import { VerifierCrew } from './verifier-crew.ts';
import type { PackVerdict } from './verify-pack.ts';

/** Less than this is checked before threads have started. */
const WORTH_THREADS_BYTES = 32 * 1024 * 1024;

/** What reading packs wholly came to. */
export interface DataCounts {
  readonly packs: number;
  /** Chunks opened. */
  readonly chunks: number;
}

/**
 * Reads packs wholly, each once: name, header, and every chunk that the key can open. Held at once: `threads` + 1 packs.
 * @param threads worker threads; 0 does it here.
 */
export async function checkData(
  context: CheckContext,
  inventory: Inventory,
  names: readonly string[],
  threads: number,
): Promise<DataCounts> {
  const { access, signal, progress } = context;
  const { repo, pkD, pkM, psk, skD, skM, idData, idMeta, loc } = access.keys;
  const secrets = Object.fromEntries(
    Object.entries({ psk, skD, skM, idData, idMeta, loc }).filter(([, secret]) => secret !== undefined),
  );
  const total = names.reduce((sum, name) => sum + (inventory.packs.get(name) ?? 0), 0);
  const helpers = total < WORTH_THREADS_BYTES ? 0 : Math.min(threads, names.length);
  const crew = new VerifierCrew(access.suite, await access.zstd(), { repo, pkD, pkM, ...secrets }, helpers);
  const counts = { packs: 0, chunks: 0, bytes: 0 };
  const left = names.values();
  const lane = async (): Promise<void> => {
    for (const name of left) {
      throwIfCancelled(signal, 'check');
      const verdict = await verifyPack(context, inventory, crew, name);
      counts.bytes += inventory.packs.get(name) ?? 0;
      progress({ phase: 'data', done: counts.bytes, total });
      if (verdict === undefined) continue;
      counts.packs += 1;
      counts.chunks += verdict.opened;
      report(context, inventory, name, verdict);
    }
  };
  progress({ phase: 'data', done: 0, total });
  try {
    await Promise.all(Array.from({ length: helpers + 1 }, lane));
  } finally {
    await crew.stop();
  }
  return { packs: counts.packs, chunks: counts.chunks };
}

/** Undefined when the pack cannot be read, which is told of, or need not be. */
async function verifyPack(
  { access, store, findings }: CheckContext,
  inventory: Inventory,
  crew: VerifierCrew,
  name: string,
): Promise<PackVerdict | undefined> {
  let object: Uint8Array;
  try {
    object = await store.get({ kind: 'packs', name });
  } catch (error) {
    if (!isDamage(error)) throw error;
    if (error.code === 'OBJECT_MISSING') {
      await access.log.refresh();
      if (access.log.state.sweptPacks.has(name)) return undefined;
    }
    inventory.damagedPack(name, error.message);
    return undefined;
  }
  const verdict = await crew.verify(name, object);
  if (verdict.unopened > 0) {
    findings.add('contents-not-opened', {
      message: 'the key at hand cannot open all chunks: of some packs only the bytes were compared with their names',
      hint: 'Run the check with a read key to have contents opened.',
    });
  }
  return verdict;
}

function report(context: CheckContext, inventory: Inventory, name: string, verdict: PackVerdict): void {
  const { hashFits, digest, headerFailure, damaged, unopened } = verdict;
  if (damaged.length > 0) inventory.damagedChunks(name, damaged);
  if (digest === undefined) return inventory.damagedPack(name, headerFailure ?? 'its header cannot be opened');
  const agrees = inventory.agrees(name, digest);
  if (hashFits) {
    if (!agrees) inventory.contradiction(name, digest);
  } else if (!agrees || unopened > 0) {
    inventory.damagedPack(name, 'its bytes are not those that were stored');
  } else if (damaged.length === 0) {
    context.findings.add('pack-damaged', {
      object: `packs/${name}`,
      message: 'the bytes of this pack are not those that were stored, yet each chunk in it can be opened',
      hint: 'Nothing is lost. Copy the pack from another copy of the store if there is one.',
    });
  }
}
