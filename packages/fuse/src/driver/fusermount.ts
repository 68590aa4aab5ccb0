import { CairnError } from '@cairn/core';
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';

import { run } from './unmount.ts';

/** AF_UNIX, SOCK_STREAM, SOCK_CLOEXEC (sys/socket.h, asm-generic). */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
/** MSG_CMSG_CLOEXEC (sys/socket.h). */
const CLOSE_ON_EXEC = 0x40000000;
/** Bytes of `struct cmsghdr` with one descriptor on 64-bit machines: length 8, level 4, type 4, descriptor 4, padding 4. */
const CONTROL_BYTES = 24;
const DESCRIPTOR_AT = 16;

interface Sockets {
  socketpair(domain: number, type: number, protocol: number, pair: Int32Array): number;
  recvmsg(fd: number, message: object, flags: number): number;
  errno(): number;
}

let loaded: Sockets | undefined;

function sockets(): Sockets {
  loaded ??= bind();
  return loaded;
}

function bind(): Sockets {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  // null: the symbols of the process itself, so glibc and musl work alike.
  const library = koffi.load(null);
  koffi.struct('iovec', { base: 'void *', length: 'size_t' });
  koffi.struct('msghdr', {
    name: 'void *',
    nameLength: 'uint32_t',
    vectors: 'iovec *',
    vectorCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  return {
    socketpair: library.func('int socketpair(int, int, int, int *)'),
    recvmsg: library.func('int64_t recvmsg(int, msghdr *, int)'),
    errno: () => koffi.errno(),
  };
}

/**
 * Lets `fusermount3`, which is setuid root, mount `directory`, and takes the device that it opened. Undefined, with what it said,
 * when it refuses. Rejects with `HOST_UNSUPPORTED` when it is not installed.
 */
export async function deviceFromHelper(
  options: string,
  directory: string,
): Promise<{ readonly device: number | undefined; readonly text: string }> {
  const pair = new Int32Array(2);
  if (sockets().socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
    throw new CairnError('INTERNAL', `no pair of sockets: errno ${sockets().errno()}`);
  }
  const [ours = -1, theirs = -1] = pair;
  try {
    let result;
    try {
      // The helper writes the device to the socket that this variable names.
      result = await run('fusermount3', ['-o', options, '--', directory], [theirs], { _FUSE_COMMFD: '3' });
    } finally {
      closeSync(theirs);
    }
    return { device: result.status === 0 ? receiveDescriptor(ours) : undefined, text: result.text };
  } finally {
    closeSync(ours);
  }
}

/** The descriptor that comes with one byte of data (unix(7), SCM_RIGHTS). */
function receiveDescriptor(socket: number): number {
  const control = Buffer.alloc(CONTROL_BYTES);
  const message = {
    name: null,
    nameLength: 0,
    vectors: [{ base: Buffer.alloc(1), length: 1 }],
    vectorCount: 1,
    control,
    controlLength: CONTROL_BYTES,
    flags: 0,
  };
  const received = Number(sockets().recvmsg(socket, message, CLOSE_ON_EXEC));
  const descriptor = control.readInt32LE(DESCRIPTOR_AT);
  if (received < 1 || descriptor <= 2) {
    throw new CairnError('MOUNT_FAILED', 'fusermount3 mounted, but handed over no device', {
      hint: 'Unmount with `fusermount3 -u`, and mount as root.',
    });
  }
  return descriptor;
}
