import { accessSync, chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const SYSTEMD = '/usr/lib/systemd/systemd';
const SYSTEM_UNITS = '/usr/lib/systemd/system';
const SYSTEMD_LIBRARIES = '/etc/ld.so.cache';

/** All of systemd's own units that the machine has: one that tidies, mounts, tunes or logs in is not even known to it. */
const BASE_UNITS = [
  'basic.target',
  'final.target',
  'local-fs.target',
  'multi-user.target',
  'network-online.target',
  'network.target',
  'paths.target',
  'poweroff.target',
  'shutdown.target',
  'slices.target',
  'sockets.target',
  'swap.target',
  'sysinit.target',
  'systemd-journald-dev-log.socket',
  'systemd-journald.service',
  'systemd-journald.socket',
  'systemd-poweroff.service',
  'timers.target',
  'umount.target',
];

const WANTED = [
  ['sockets.target', 'systemd-journald.socket'],
  ['sockets.target', 'systemd-journald-dev-log.socket'],
  ['sysinit.target', 'systemd-journald.service'],
] as const;

/** Number of the user `cairn` of the machine, and of its group. */
export const CAIRN_USER = 990;

/** Where the machine looks for units: those of its administrator, and those that it brings. */
export const UNIT_PATH = '/etc/systemd/system:/etc/systemd/base';

/** What the machine finds in /etc, beside units. */
const ETC: Readonly<Record<string, string>> = {
  group: `root:x:0:\ncairn:x:${CAIRN_USER}:\nnogroup:x:65534:\n`,
  hostname: 'cairn-test\n',
  hosts: '127.0.0.1 localhost\n',
  'machine-id': 'c0ffee00c0ffee00c0ffee00c0ffee00\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files\n',
  'os-release': 'ID=cairn-test\nNAME="Machine of a test"\n',
  passwd: [
    'root:x:0:0::/root:/bin/sh',
    `cairn:x:${CAIRN_USER}:${CAIRN_USER}::/var/lib/cairn-server:/bin/sh`,
    'nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n',
  ].join('\n'),
};

const DIRECTORIES = [
  // Where the root of a boot is mounted.
  'machine',
  'root',
  'srv',
  'etc/systemd/base',
  'etc/systemd/system',
  'var/lib',
  'var/tmp',
];

/** What the real machine must have for that; the first that it lacks. */
export function missingFile(): string | undefined {
  return [SYSTEMD, SYSTEMD_LIBRARIES, ...BASE_UNITS.map((name) => join(SYSTEM_UNITS, name))].find((file) => {
    try {
      accessSync(file);
      return false;
    } catch {
      return true;
    }
  });
}

/** Writes what a machine has before its first boot. */
export function writeMachineFiles(directory: string): void {
  for (const name of DIRECTORIES) mkdirSync(join(directory, name), { recursive: true });
  chmodSync(join(directory, 'var/tmp'), 0o1777);
  symlinkSync('../run', join(directory, 'var/run'));
  chmodSync(join(directory, 'root'), 0o700);
  for (const [name, text] of Object.entries(ETC)) writeFileSync(join(directory, 'etc', name), text);
  copyFileSync(SYSTEMD_LIBRARIES, join(directory, 'etc/ld.so.cache'));
  const base = join(directory, 'etc/systemd/base');
  for (const name of BASE_UNITS) copyFileSync(join(SYSTEM_UNITS, name), join(base, name));
  for (const [target, unit] of WANTED) {
    mkdirSync(join(base, `${target}.wants`), { recursive: true });
    symlinkSync(`../${unit}`, join(base, `${target}.wants`, unit));
  }
}
