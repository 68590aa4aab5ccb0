import { LIMITS } from '@cairn/core/server';
import type { Server, Socket } from 'node:net';

import { isWithin } from '../clients/addresses.ts';

/**
 * Closes connections of an address that has too many: one host alone must not take all that a server has. Proxies speak for many.
 */
export function limitAddresses(server: Server, proxies: readonly string[]): void {
  const open = new Map<string, number>();
  server.prependListener('connection', (socket: Socket) => {
    const { remoteAddress: address } = socket;
    if (address === undefined || isWithin(address, proxies)) return;
    const count = open.get(address) ?? 0;
    if (count >= LIMITS.serverConnectionsOfAddress) {
      socket.destroy();
      return;
    }
    open.set(address, count + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}
