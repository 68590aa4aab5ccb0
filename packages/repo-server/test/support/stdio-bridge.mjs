// @ts-check
/** Joins standard input and output to a port of this machine: what stands behind ssh in tests of the client. */
import { connect } from 'node:net';

const socket = connect(Number(process.argv[2]), '127.0.0.1');
process.stdin.pipe(socket).pipe(process.stdout);
for (const end of [socket, process.stdin, process.stdout]) end.on('error', () => process.exit(0));
socket.on('close', () => process.exit(0));
