/**
 * What kind of value a setting has. `path`: relative to the configuration file when it stands there; `~/` is the home. `place`: a path,
 * or an address with a scheme.
 */
export type SettingType = 'text' | 'path' | 'place' | 'count' | 'flag' | 'list' | 'paths';

export interface SettingRow {
  /** Its name in the configuration file, a table's name before the dot. */
  readonly name: string;
  readonly type: SettingType;
  /** The long option, without the dashes. Absent: no option. */
  readonly option?: string;
  /** The environment variable. Absent: none. */
  readonly variable?: string;
  /** One phrase for the reference. */
  readonly about: string;
}

/**
 * Everything that can be set in more than one place. An option is stronger than the environment, the environment stronger than
 * the configuration file. No setting holds a passphrase itself: command lines and environments are seen by others.
 */
export const SETTINGS = [
  {
    name: 'repository',
    type: 'place',
    option: 'repository',
    variable: 'CAIRN_REPOSITORY',
    about: 'directory or address of the repository',
  },
  { name: 'key-file', type: 'path', option: 'key-file', variable: 'CAIRN_KEY_FILE', about: 'key file that opens it' },
  {
    name: 'passphrase-file',
    type: 'path',
    option: 'passphrase-file',
    variable: 'CAIRN_PASSPHRASE_FILE',
    about: 'file with the passphrase of a key slot',
  },
  {
    name: 'passphrase-command',
    type: 'text',
    option: 'passphrase-command',
    variable: 'CAIRN_PASSPHRASE_COMMAND',
    about: 'command that prints the passphrase of a key slot',
  },
  {
    name: 'passphrase-fd',
    type: 'count',
    option: 'passphrase-fd',
    about: 'file descriptor to read the passphrase from',
  },
  {
    name: 'credentials-file',
    type: 'path',
    option: 'credentials-file',
    variable: 'CAIRN_CREDENTIALS_FILE',
    about: 'file with the credentials for the store',
  },
  { name: 'limit-upload', type: 'text', option: 'limit-upload', about: 'bytes per second to the store, as in 2M' },
  { name: 'limit-download', type: 'text', option: 'limit-download', about: 'bytes per second from the store' },
  {
    name: 'retry-for',
    type: 'text',
    option: 'retry-for',
    about: 'how long to try again when the store does not answer, as in 10m',
  },
  { name: 'fingerprint', type: 'text', option: 'fingerprint', about: 'fingerprint that the keys must have' },
  { name: 'threads', type: 'count', option: 'threads', about: 'worker threads; 0 works without' },
  {
    name: 'state-directory',
    type: 'path',
    variable: 'CAIRN_STATE_DIRECTORY',
    about: 'what this machine remembers of its repositories',
  },
  {
    name: 'cache-directory',
    type: 'path',
    variable: 'CAIRN_CACHE_DIRECTORY',
    about: 'what may be deleted at any time',
  },
  {
    name: 'jobs-directory',
    type: 'path',
    option: 'jobs-directory',
    variable: 'CAIRN_JOBS_DIRECTORY',
    about: 'where job files are',
  },
  { name: 'backup.paths', type: 'paths', about: 'what to back up when no path is given' },
  { name: 'backup.series', type: 'text', option: 'series', about: 'series of new archives' },
  { name: 'backup.tags', type: 'list', option: 'tag', about: 'tags of new archives' },
  { name: 'backup.compression', type: 'count', option: 'compression', about: 'zstd level, 1 to 22' },
  { name: 'backup.presets', type: 'list', option: 'preset', about: 'named lists of what to leave out' },
  { name: 'backup.exclude-from', type: 'paths', option: 'exclude-from', about: 'files with patterns' },
  { name: 'backup.excludes', type: 'list', option: 'exclude', about: 'patterns of what to leave out' },
  { name: 'backup.exclude-caches', type: 'flag', option: 'exclude-caches', about: 'leave out tagged caches' },
  {
    name: 'backup.exclude-if-present',
    type: 'list',
    option: 'exclude-if-present',
    about: 'names that mark directories',
  },
  { name: 'backup.exclude-nodump', type: 'flag', option: 'exclude-nodump', about: 'leave out what is flagged nodump' },
  {
    name: 'backup.exclude-larger-than',
    type: 'text',
    option: 'exclude-larger-than',
    about: 'size of files to leave out',
  },
  { name: 'backup.one-file-system', type: 'flag', option: 'one-file-system', about: 'leave out other file systems' },
] as const satisfies readonly SettingRow[];

export type SettingName = (typeof SETTINGS)[number]['name'];

type NamesOf<T extends SettingType> = Extract<(typeof SETTINGS)[number], { type: T }>['name'];
export type TextName = NamesOf<'text' | 'path' | 'place'>;
export type CountName = NamesOf<'count'>;
export type FlagName = NamesOf<'flag'>;
export type ListName = NamesOf<'list' | 'paths'>;
