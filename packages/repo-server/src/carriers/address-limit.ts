import { LIMITS } from '@cairn/core/server';
import type { Server, Socket } from 'node:net';

import { isWithin, sourceOf } from '../clients/addresses.ts';

/**
 * Closes connections of a source that has too many: one host alone must not take all that a server has, though it may come from any
 * address of its network. Proxies speak for many.
 */
export function limitAddresses(server: Server, proxies: readonly string[]): void {
  const open = new Map<string, number>();
  server.prependListener('connection', (socket: Socket) => {
    const { remoteAddress: address } = socket;
    if (address === undefined || isWithin(address, proxies)) return;
    const source = sourceOf(address);
    const count = open.get(source) ?? 0;
    if (count >= LIMITS.serverConnectionsOfAddress) {
      socket.destroy();
      return;
    }
    open.set(source, count + 1);
    socket.once('close', () => {
      const left = (open.get(source) ?? 1) - 1;
      if (left > 0) open.set(source, left);
      else open.delete(source);
    });
  });
}
