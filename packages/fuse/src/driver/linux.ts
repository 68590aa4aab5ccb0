import { CairnError, FILE_SYSTEM_TYPE, isDead, mountAt, systemErrorCode } from '@cairn/core';
import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { geteuid, getgid, getuid, platform } from 'node:process';

import { deviceFromHelper } from './fusermount.ts';
import type { LiveMount, MountDriver, MountOptions } from './port.ts';
import { FuseSession } from './session.ts';
import { detachDirectory, run, unmountDirectory } from './unmount.ts';

const DEVICE = '/dev/fuse';

/** What every mount has: nothing in it can be changed, run as somebody else, or reach a device. */
const FIXED_OPTIONS = ['ro', 'nosuid', 'nodev'] as const;

/** KiB that the kernel reads ahead of who reads in order: the longest request. Its default of 128 asks eight times as often. */
const READ_AHEAD_KIB = 1024;

/** The kernel's own interface, spoken by this program: no library, no native module. */
export const linuxDriver: MountDriver = {
  name: 'linux',

  async mount(options: MountOptions): Promise<LiveMount> {
    if (platform !== 'linux') {
      throw new CairnError('HOST_UNSUPPORTED', `mounting is not supported on ${platform}`, {
        hint: 'Look at archives with `cairn browse` instead.',
      });
    }
    const { directory, fileSystem, checkPermissions, onProblem } = options;
    await prepareDirectory(directory);
    const device = geteuid?.() === 0 ? await mountAsRoot(options) : await mountAsUser(options);
    const session = new FuseSession({ device, fileSystem, checkPermissions, onProblem });
    const connection = mountAt(directory)?.device;
    // Afterwards, because the kernel sets its own value then. One that ends at once is told by `ended`.
    await Promise.race([session.ready, session.ended]);
    if (connection !== undefined) raiseReadAhead(connection);
    return {
      directory,
      ended: session.ended,
      unmount: async (how) => await unmountDirectory(directory, how),
      detach: () => detachDirectory(directory),
    };
  },
};

/**
 * Clears what a killed process left at `directory`. Rejects with `MOUNT_FAILED` when it cannot be mounted on: it is no directory, or
 * something would be out of reach below the mount.
 */
async function prepareDirectory(directory: string): Promise<void> {
  const there = mountAt(directory);
  if (there?.type === FILE_SYSTEM_TYPE) {
    if (!(await isDead(there))) {
      throw cannotMount(directory, 'there is a mount already', `Unmount it with \`cairn umount ${directory}\`.`);
    }
    await unmountDirectory(directory, { lazy: true });
  }
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    const code = systemErrorCode(error) ?? 'unknown error';
    if (code === 'ENOENT') throw cannotMount(directory, code, 'Make the directory first.');
    throw cannotMount(directory, code, 'Check the directory and who may enter it.');
  }
  if (names.length > 0) throw cannotMount(directory, 'it is not empty', 'Choose an empty directory.');
}

function cannotMount(directory: string, why: string, hint: string): CairnError {
  return new CairnError('MOUNT_FAILED', `${directory} cannot be mounted on: ${why}`, { hint });
}

async function mountAsRoot({ directory, source, allowOther, checkPermissions }: MountOptions): Promise<number> {
  const device = openDevice();
  const parameters = [
    ...FIXED_OPTIONS,
    'fd=3',
    'rootmode=40000',
    `user_id=${getuid?.() ?? 0}`,
    `group_id=${getgid?.() ?? 0}`,
    ...(allowOther ? ['allow_other'] : []),
    ...(checkPermissions ? ['default_permissions'] : []),
  ];
  const args = ['-i', '-t', FILE_SYSTEM_TYPE, '-o', parameters.join(','), '--', source, directory];
  const { status, text } = await run('mount', args, [device]);
  if (status === 0) return device;
  closeSync(device);
  throw mountFailed(directory, text);
}

async function mountAsUser({ directory, source, allowOther, checkPermissions }: MountOptions): Promise<number> {
  const parameters = [
    ...FIXED_OPTIONS,
    `fsname=${source.replaceAll(/[\\,]/g, '_')}`,
    'subtype=cairn',
    ...(allowOther ? ['allow_other'] : []),
    ...(checkPermissions ? ['default_permissions'] : []),
  ];
  const { device, text } = await deviceFromHelper(parameters.join(','), directory);
  if (device !== undefined) return device;
  throw mountFailed(directory, text);
}

function openDevice(): number {
  try {
    return openSync(DEVICE, constants.O_RDWR);
  } catch (cause) {
    const code = systemErrorCode(cause) ?? 'unknown error';
    throw new CairnError('HOST_UNSUPPORTED', `${DEVICE} cannot be opened: ${code}`, {
      hint: 'The kernel needs FUSE (`modprobe fuse`), and a container needs the device. `cairn browse` works without.',
      cause,
    });
  }
}

function mountFailed(directory: string, text: string): CairnError {
  const hint = /user_allow_other/.test(text)
    ? 'Others may look only when root writes user_allow_other into /etc/fuse.conf.'
    : 'Check that the directory is yours.';
  return new CairnError('MOUNT_FAILED', `${directory} could not be mounted on: ${text.trim() || 'mount failed'}`, {
    hint,
  });
}

/** Longer reads are worth it and nothing depends on them: where this is not allowed, the kernel's default stays. */
function raiseReadAhead(connection: string): void {
  try {
    writeFileSync(`/sys/class/bdi/${connection}/read_ahead_kb`, `${READ_AHEAD_KIB}\n`);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
  }
}
