import { once } from 'node:events';
import { createServer } from 'node:net';

/** Above the ports of known services, and below those that Linux gives to whoever asks for any (`ip_local_port_range`, ip(7)). */
const FIRST = 15_000;
const END = 32_768;

/**
 * A port of the loopback address for a server that is told where to listen, and that may go away and come back: no connection of
 * another program gets it meanwhile.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST));
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
