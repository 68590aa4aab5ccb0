import { throwIfCancelled } from '../stores/contract.ts';
import { isDamage, type CheckContext } from './context.ts';
import type { SeenDamage } from './damage-notes.ts';
import type { Inventory } from './inventory.ts';
import { VerifierCrew } from './verifier-crew.ts';
import { verifierKeys, type PackVerdict } from './verify-pack.ts';

/** Less than this is checked before threads have started. */
const WORTH_THREADS_BYTES = 32 * 1024 * 1024;

/** What reading packs wholly came to. */
export interface DataCounts {
  readonly packs: number;
  /** Chunks opened. */
  readonly chunks: number;
  /** What was seen of the packs that could be read. */
  readonly seen: ReadonlyMap<string, SeenDamage>;
}

/** How to read packs. */
export interface DataOptions {
  /** Worker threads; 0 does it here. */
  readonly threads: number;
  /** No pack but the first is begun after so many milliseconds. */
  readonly forMs: number;
  /** Called for each pack that could be read, whatever it holds. */
  readonly onRead: (name: string) => Promise<void>;
}

/**
 * Reads packs wholly, each once, in that order: name, header, and every chunk that the key can open. Held at once:
 * `threads` + 1 packs.
 */
export async function checkData(
  context: CheckContext,
  inventory: Inventory,
  names: readonly string[],
  { threads, forMs, onRead }: DataOptions,
): Promise<DataCounts> {
  const { access, signal, progress } = context;
  const total = names.reduce((sum, name) => sum + (inventory.packs.get(name) ?? 0), 0);
  const helpers = total < WORTH_THREADS_BYTES ? 0 : Math.min(threads, names.length);
  const crew = new VerifierCrew(access.suite, await access.zstd(), verifierKeys(access.keys), helpers);
  const counts = { packs: 0, chunks: 0, bytes: 0 };
  const seen = new Map<string, SeenDamage>();
  const left = names.entries();
  const { clock } = access.environment;
  const endMs = clock.monotonicMs() + forMs;
  const lane = async (): Promise<void> => {
    for (const [i, name] of left) {
      if (i > 0 && clock.monotonicMs() >= endMs) return;
      throwIfCancelled(signal, 'check');
      const verdict = await verifyPack(context, inventory, crew, name);
      counts.bytes += inventory.packs.get(name) ?? 0;
      progress({ phase: 'data', done: counts.bytes, total });
      if (verdict === undefined) continue;
      counts.packs += 1;
      counts.chunks += verdict.opened;
      inventory.readWholly(name);
      seen.set(name, report(inventory, name, verdict));
      await onRead(name);
    }
  };
  progress({ phase: 'data', done: 0, total });
  try {
    await Promise.all(Array.from({ length: helpers + 1 }, lane));
  } finally {
    await crew.stop();
  }
  return { packs: counts.packs, chunks: counts.chunks, seen };
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

/** Tells of what is wrong with a pack, and gives what the log should know of it. */
function report(inventory: Inventory, name: string, verdict: PackVerdict): SeenDamage {
  const { hashFits, digest, headerFailure, damaged, unopened } = verdict;
  if (damaged.length > 0) inventory.damagedChunks(name, damaged);
  if (digest === undefined) {
    inventory.damagedPack(name, headerFailure ?? 'its header cannot be opened');
    return 'all';
  }
  const agrees = inventory.agrees(name, digest);
  if (hashFits) {
    if (!agrees) inventory.contradiction(name, digest);
  } else if (!agrees || unopened > 0) {
    inventory.damagedPack(name, 'its bytes are not those that were stored');
    return 'all';
  } else if (damaged.length === 0) {
    inventory.alteredPack(name);
    return [];
  }
  return damaged.length > 0 ? damaged : 'none';
}
