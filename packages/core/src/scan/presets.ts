import { CairnError } from '../errors.ts';

/** A named list of rules, and of sources where the name stands for a whole job. */
export interface Preset {
  readonly name: string;
  /** One sentence for lists of presets. */
  readonly description: string;
  /** Absolute paths to back up; empty when the preset only leaves things out. */
  readonly sources: readonly string[];
  /** Patterns in the default style, in order. */
  readonly excludes: readonly string[];
}

/** What is empty or meaningless after a restart. With `/*` the directories themselves stay: a restored system needs them. */
const SYSTEM_EXCLUDES = [
  '/proc/*',
  '/sys/*',
  '/dev/*',
  '/run/*',
  '/tmp/*',
  '/var/tmp/*',
  '/mnt/*',
  '/media/*',
  '/snap/*',
  'lost+found/',
  '/swapfile',
  '/swap.img',
  '/swap/swapfile',
  '/var/swap',
  '/var/lib/systemd/coredump/*',
  '/var/crash/*',
];

/** Databases are among them because a job dumps them: a copy of their files while they run may not start again. */
const MAADIX_EXCLUDES = [
  '/home/.trash',
  '/usr/bin',
  '/usr/lib',
  '/usr/sbin',
  '/usr/src',
  '/var/backups',
  '/var/cache',
  '/var/lib/apt',
  '/var/lib/docker',
  '/var/lib/dpkg',
  '/var/lib/fail2ban',
  '/var/lib/mlocate',
  '/var/lib/mongodb',
  '/var/lib/munin',
  '/var/lib/mysql',
  '/var/lib/postgresql',
  '/var/lib/smartmontools',
];

/** `.cache` is where programs may expect to lose things (XDG Base Directory Specification); browsers keep more elsewhere. */
const CACHE_EXCLUDES = [
  '/home/*/.cache/',
  '/root/.cache/',
  '/home/*/.var/app/*/cache/',
  '/home/*/snap/*/*/.cache/',
  '/home/*/.thumbnails/',
  '.mozilla/firefox/*/cache2/',
  '.config/**/Cache/Cache_Data/',
  '.config/**/Code Cache/',
  '.config/**/GPUCache/',
  '.config/**/ShaderCache/',
  '.config/**/GrShaderCache/',
  '.config/**/Service Worker/CacheStorage/',
  '.npm/_cacache/',
  '.composer/cache/',
  '.gradle/caches/',
  '.cargo/registry/cache/',
  'node_modules/.cache/',
];

/**
 * Waste baskets by their places (FreeDesktop.org Trash specification 1.0: in the home directory, and at the top of
 * each mount). Not simply `.Trash` anywhere: mail servers keep a mailbox folder of that name.
 */
const TRASH_EXCLUDES = [
  '.local/share/Trash/',
  '/home/.trash/',
  '/home/*/.trash/',
  '/.Trash-*/',
  '/home/.Trash-*/',
  '/srv/.Trash-*/',
  '/mnt/.Trash-*/',
  '/mnt/*/.Trash-*/',
  '/media/*/.Trash-*/',
  '/media/*/*/.Trash-*/',
  '.Trashes/',
  '$RECYCLE.BIN/',
  '#recycle/',
  '@Recycle/',
];

/** `target` only where people work: `/etc/target`, for one, is the configuration of a storage server. */
const DEVELOPMENT_EXCLUDES = [
  'node_modules/',
  'bower_components/',
  '__pycache__/',
  '*.pyc',
  '.venv/',
  '.tox/',
  '.nox/',
  '.eggs/',
  '.mypy_cache/',
  '.pytest_cache/',
  '.ruff_cache/',
  '/home/**/target/',
  '/root/**/target/',
  '/srv/**/target/',
  '.gradle/',
  '.next/',
  '.nuxt/',
  '.turbo/',
  '.parcel-cache/',
  '.terraform/',
];

/** All presets that there are. */
export const PRESETS: readonly Preset[] = [
  {
    name: 'maadix',
    description:
      'A whole server without what its packages bring and without database files, which need dumps beside this backup.',
    sources: ['/boot', '/etc', '/home', '/opt', '/root', '/usr', '/srv', '/var'],
    excludes: MAADIX_EXCLUDES,
  },
  {
    name: 'system',
    description: 'Leaves out kernel file systems, temporary files, removable media, swap files and crash dumps.',
    sources: [],
    excludes: SYSTEM_EXCLUDES,
  },
  {
    name: 'caches',
    description: 'Leaves out caches in home directories: of desktops, browsers and package managers.',
    sources: [],
    excludes: CACHE_EXCLUDES,
  },
  {
    name: 'trash',
    description: 'Leaves out waste baskets of desktops, file servers and the control panel.',
    sources: [],
    excludes: TRASH_EXCLUDES,
  },
  {
    name: 'development',
    description: 'Leaves out what builds and package managers make again: node_modules, target, __pycache__, .venv.',
    sources: [],
    excludes: DEVELOPMENT_EXCLUDES,
  },
];

/** The preset of that name. Rejects with `USAGE` when there is none. */
export function presetNamed(name: string): Preset {
  const preset = PRESETS.find((one) => one.name === name);
  if (preset !== undefined) return preset;
  const hint = `The presets are ${PRESETS.map((one) => one.name).join(', ')}.`;
  throw new CairnError('USAGE', `there is no preset \`${name}\``, { hint });
}
