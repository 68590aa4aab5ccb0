import { isCairnError } from '../errors.ts';
import { readPackHeader } from '../pack/read-header.ts';
import { inOrder } from '../flow/in-order.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { isDamage, packAccess, type CheckContext } from './context.ts';
import type { Inventory } from './inventory.ts';
import { headerDigest } from './listing-digest.ts';

/** Headers read at once: they are small, at most 3 MB, so this hides the way to a store. */
const HEADERS = { width: 32 } as const;

/** Opens the headers of packs and compares them with the index. Of each pack only its beginning is read. */
export async function checkHeaders(
  context: CheckContext,
  inventory: Inventory,
  names: readonly string[],
): Promise<void> {
  const check = async (name: string): Promise<boolean> => await checkHeader(context, inventory, name);
  let done = 0;
  context.progress({ phase: 'headers', done, total: names.length });
  for await (const readable of inOrder(names, HEADERS, check)) {
    throwIfCancelled(context.signal, 'check');
    if (!readable) return;
    done += 1;
    context.progress({ phase: 'headers', done, total: names.length });
  }
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
