import { CairnError } from '@cairn/core';
import { createRequire } from 'node:module';

import type { ArchiveFileSystem } from '../filesystem/file-system.ts';
import type { Found } from '../filesystem/places.ts';
import { Refusal } from '../filesystem/refusal.ts';
import { errnoOf } from '../protocol/replies.ts';
import type { LiveMount, MountDriver, MountOptions } from './port.ts';

/** What is used of the package `fuse-native`, version 2: callbacks take a negative errno, or 0 and a value. */
interface FuseNative {
  mount(done: (error: Error | null) => void): void;
  unmount(done: (error: Error | null) => void): void;
}

type Callback = (status: number, value?: unknown) => void;
type Operations = Readonly<Record<string, (...args: never[]) => void>>;
type FuseNativeClass = new (directory: string, operations: Operations, options: object) => FuseNative;

const NANOSECONDS_PER_MS = 1_000_000n;

/**
 * An adapter for systems without the Linux kernel interface, such as macOS with macFUSE: loaded when the user installed the
 * package `fuse-native`, which this program does not depend on. It passes names as UTF-8 and times as milliseconds, and shows no
 * hard links; everything else is as on Linux.
 */
export const fuseNativeDriver: MountDriver = {
  name: 'fuse-native',

  async mount(options: MountOptions): Promise<LiveMount> {
    const Fuse = load();
    const { directory, fileSystem, allowOther, checkPermissions, source } = options;
    const fuse = new Fuse(directory, operations(fileSystem), {
      // No option of its own says "read-only": this is how it reaches the command that mounts.
      fsname: `${source.replaceAll(/[\\,]/g, '_')},ro`,
      allowOther,
      defaultPermissions: checkPermissions,
      timeout: false,
    });
    await settled((done) => fuse.mount(done), directory);
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const unmount = async (): Promise<void> => {
      await settled((done) => fuse.unmount(done), directory);
      end();
    };
    return { directory, ended, unmount, detach: () => fuse.unmount(() => undefined) };
  },
};

function load(): FuseNativeClass {
  try {
    return createRequire(import.meta.url)('fuse-native') as FuseNativeClass;
  } catch (cause) {
    throw new CairnError('HOST_UNSUPPORTED', `mounting on ${process.platform} needs the package fuse-native`, {
      hint: 'Install it with `npm install -g fuse-native`, or look at archives with `cairn browse`.',
      cause,
    });
  }
}

function settled(start: (done: (error: Error | null) => void) => void, directory: string): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error === null || error === undefined) return resolve();
      reject(new CairnError('MOUNT_FAILED', `${directory}: ${error.message}`, { cause: error }));
    });
  });
}

function operations(fileSystem: ArchiveFileSystem): Operations {
  const node = async (path: string): Promise<Found> => {
    let found = await fileSystem.attributes(fileSystem.root);
    for (const name of path.split('/').filter((part) => part !== '')) {
      const next = await fileSystem.lookup(found.attributes.node, Buffer.from(name).toString('latin1'));
      if (next === undefined) throw new Refusal('ENOENT');
      found = next;
    }
    return found;
  };
  return {
    getattr: (path: string, done: Callback) => answer(done, async () => stat(await node(path))),
    readlink: (path: string, done: Callback) =>
      answer(done, async () => utf8(await fileSystem.readLink((await node(path)).attributes.node))),
    readdir: (path: string, done: Callback) =>
      answer(done, async () => {
        const names: string[] = [];
        await fileSystem.list((await node(path)).attributes.node, 2, false, ({ name }) => names.push(utf8(name)) > 0);
        return names;
      }),
    read: (path: string, _fd: number, buffer: Buffer, length: number, position: number, done: (read: number) => void) =>
      answer(
        (status, value) => done(status === 0 ? (value as number) : status),
        async () => {
          const pieces = await fileSystem.read((await node(path)).attributes.node, position, length);
          return Buffer.concat(pieces).copy(buffer);
        },
      ),
  };
}

function answer(done: Callback, work: () => Promise<unknown>): void {
  work().then(
    (value) => done(0, value),
    (error: unknown) => done(-errnoOf(error instanceof Refusal ? error.code : 'EIO')),
  );
}

function stat({ attributes }: Found): object {
  const { mtimeNs, ctimeNs, size, mode, uid, gid } = attributes;
  const mtime = new Date(Number(mtimeNs / NANOSECONDS_PER_MS));
  return { mtime, atime: mtime, ctime: new Date(Number(ctimeNs / NANOSECONDS_PER_MS)), nlink: 1, size, mode, uid, gid };
}

function utf8(name: string): string {
  return Buffer.from(name, 'latin1').toString();
}
