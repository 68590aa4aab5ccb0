import { connect } from 'node:net';

/** Milliseconds that a host has to answer. */
const ANSWER_MS = 5_000;

/** Those of the hosts, `HOST:PORT`, that take no connection. */
export async function silentHosts(hosts: readonly string[]): Promise<string[]> {
  const answers = await Promise.all(hosts.map(takesConnection));
  return hosts.filter((_, at) => answers[at] !== true);
}

function takesConnection(host: string): Promise<boolean> {
  const colon = host.lastIndexOf(':');
  return new Promise((resolve) => {
    const socket = connect({ host: host.slice(0, colon), port: Number(host.slice(colon + 1)), timeout: ANSWER_MS });
    const end = (isThere: boolean) => (): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.on('connect', end(true)).on('timeout', end(false)).on('error', end(false));
  });
}
