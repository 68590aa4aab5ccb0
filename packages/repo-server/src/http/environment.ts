import type { HttpBindings } from '@hono/node-server';

import type { Client } from '../clients/client.ts';
import type { ObjectHost } from '../repository/object-host.ts';

/** Who sent a request, and what it may reach. Known from the credential alone. */
export interface Principal {
  readonly client: Client;
  readonly host: ObjectHost;
}

/** What a handler gets with each request. `incoming` and `outgoing` are of HTTP/1.1 or HTTP/2. */
export interface AppEnvironment {
  Bindings: HttpBindings;
  Variables: { principal: Principal };
}
