import type { Client } from '../clients/client.ts';
import type { ObjectHost } from '../repository/object-host.ts';
import type { Principal } from './environment.ts';

/** Every request is of the same client: the carrier proved who it is before the first one. */
export function fixedClient(client: Client, host: ObjectHost): () => Promise<Principal> {
  return async () => ({ client, host });
}
