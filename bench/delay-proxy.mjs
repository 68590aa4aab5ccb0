// @ts-check
/**
 * A long way to a port of this machine, as a process of its own: `node bench/delay-proxy.mjs PORT MILLISECONDS`. Prints the port that it
 * listens on, and runs until it is killed.
 */
import { TcpProxy } from '../packages/core/dist/testing/tcp-proxy.js';

const [target, delay] = process.argv.slice(2).map(Number);
if (target === undefined || delay === undefined) throw new Error('name a port and milliseconds');
const proxy = await TcpProxy.start(target);
proxy.delayMs = delay;
console.log(proxy.port);
