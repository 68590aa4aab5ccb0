import { LIMITS } from '@cairn/core/server';
import { createServer, Socket } from 'node:net';
import { expect, it } from 'vitest';

import { limitAddresses } from './address-limit.ts';

/** A connection from there. Nothing is sent: a machine has not the many addresses that this is about. */
function comeFrom(server: ReturnType<typeof createServer>, address: string): Socket {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: address });
  server.emit('connection', socket);
  return socket;
}

it('lets a machine have so many connections, from however many addresses of its network they come', () => {
  const server = createServer();
  limitAddresses(server, ['2001:db8:9:9::1']);
  const many = Array.from({ length: LIMITS.serverConnectionsOfAddress + 1 }, (_, number) => number.toString(16));
  const open = many.map((number) => comeFrom(server, `2001:db8:1:2::${number}`));
  expect(open.map(({ destroyed }) => destroyed).lastIndexOf(false)).toBe(LIMITS.serverConnectionsOfAddress - 1);
  expect(comeFrom(server, '2001:db8:1:2:ffff::1').destroyed).toBe(true);
  expect(comeFrom(server, '2001:db8:1:3::1').destroyed).toBe(false);
  for (const number of many)
    expect(comeFrom(server, `198.51.100.${Number.parseInt(number, 16) + 1}`).destroyed).toBe(false);
  for (const _ of many) expect(comeFrom(server, '2001:db8:9:9::1').destroyed).toBe(false);
});

it('lets the next in when one has gone', async () => {
  const server = createServer();
  limitAddresses(server, []);
  const open = Array.from({ length: LIMITS.serverConnectionsOfAddress }, () => comeFrom(server, '2001:db8::1'));
  expect(comeFrom(server, '2001:db8::2').destroyed).toBe(true);
  const closed = new Promise((resolve) => void open[0]?.once('close', resolve));
  open[0]?.destroy();
  await closed;
  expect(comeFrom(server, '2001:db8::2').destroyed).toBe(false);
  expect(comeFrom(server, '2001:db8::3').destroyed).toBe(true);
});
