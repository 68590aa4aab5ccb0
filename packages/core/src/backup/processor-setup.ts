import { gearTable } from '../chunker/gear.ts';
import { startSession } from '../crypto/chunk-crypto.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { makeClaimsMemory } from '../index/claims.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import type { ProcessorSetup, SourceSetup } from './messages.ts';
import { packsUnderWay } from './pack-line.ts';

const DEFAULT_LEVEL = 3;

/**
 * What storing chunks takes, with a session of its own. Rejects with `RIGHT_MISSING`, naming the `action`, for a key that does
 * not write.
 * @param compressionLevel of zstd. @param source for jobs with chunks of another repository.
 */
export function processorSetup(
  access: RepositoryAccess,
  index: ChunkIndex,
  action: string,
  compressionLevel = DEFAULT_LEVEL,
  source?: SourceSetup,
): ProcessorSetup {
  const { suite, environment, keys, config } = access;
  const cdc = access.secret('cdc', action);
  for (const name of ['psk', 'idData', 'idMeta', 'loc'] as const) access.secret(name, action);
  const { repo, pkD, pkM, loc, idData, idMeta } = keys as Required<typeof keys>;
  return {
    keys: { repo, pkD, pkM, loc, idData, idMeta },
    session: startSession(suite, environment.random, keys),
    gearTable: gearTable(suite, cdc, repo),
    chunkerData: config.chunkerData,
    compressionLevel,
    index: index.shared,
    claims: makeClaimsMemory(),
    packsUnderWay: packsUnderWay(access.store),
    stop: new SharedArrayBuffer(4),
    ...(source === undefined ? {} : { source }),
  };
}
