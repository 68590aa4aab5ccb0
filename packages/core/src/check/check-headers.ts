import { isCairnError } from '../errors.ts';
import { readPackHeader } from '../pack/read-header.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { isDamage, packAccess, type CheckContext } from './context.ts';
import type { Inventory } from './inventory.ts';
import { headerDigest } from './listing-digest.ts';

/** Headers read at once: they are small, so this hides the way to a store. */
const HEADER_WIDTH = 16;

/** Opens the headers of packs and compares them with the index. Of each pack only its beginning is read. */
export async function checkHeaders(
  context: CheckContext,
  inventory: Inventory,
  names: readonly string[],
): Promise<void> {
  for (let at = 0; at < names.length; at += HEADER_WIDTH) {
    throwIfCancelled(context.signal, 'check');
    context.progress({ phase: 'headers', done: at, total: names.length });
    const batch = names.slice(at, at + HEADER_WIDTH).map((name) => checkHeader(context, inventory, name));
    const readable = await Promise.all(batch);
    if (readable.includes(false)) return;
  }
  context.progress({ phase: 'headers', done: names.length, total: names.length });
}

/** False when the store does not let this client read packs, as it may for one that only writes. */
async function checkHeader(context: CheckContext, inventory: Inventory, name: string): Promise<boolean> {
  const { access, findings } = context;
  try {
    const size = inventory.packs.get(name) ?? 0;
    const digest = headerDigest(await readPackHeader(packAccess(context), name, size, inventory.dataStart(name)));
    if (!inventory.agrees(name, digest)) inventory.contradiction(name, digest);
  } catch (error) {
    if (isCairnError(error, 'STORE_DENIED')) {
      findings.add('packs-not-read', {
        message: `the store does not let this client read packs (${error.message})`,
        hint: 'Run the check with a credential that may, to have packs looked at.',
      });
      return false;
    }
    if (!isDamage(error)) throw error;
    if (error.code === 'OBJECT_MISSING') await access.log.refresh();
    if (!access.log.state.sweptPacks.has(name)) inventory.damagedPack(name, error.message);
  }
  return true;
}
