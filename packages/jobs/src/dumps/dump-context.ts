import type { ContentSource, Environment } from '@cairn/core';

/** What dumps are made and restored with. */
export interface DumpContext {
  readonly environment: Environment;
  /** The environment of the process: `PATH`, `HOME` and the like are handed on to programs, nothing else. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Where a copy may stand that cannot be streamed; that of SQLite only. */
  readonly temporaryDirectory: string;
  /** Hears what the user should know although the dump is good. */
  readonly onWarning?: (text: string) => void;
}

/** A file of the archive that a dump becomes. `path` is UTF-8. */
export interface PreparedContent {
  readonly path: string;
  readonly source: ContentSource;
}

/** A dump that is ready to be read. */
export interface PreparedDump {
  readonly name: string;
  readonly contents: readonly PreparedContent[];
}

/** Variables that programs need to find themselves and their settings. None of them holds a secret. */
const HANDED_ON = ['PATH', 'HOME', 'USER', 'LOGNAME', 'TZ', 'TMPDIR'] as const;

/** Where programs are looked for when PATH is not set: the directories of the system, those of its administrator included. */
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The environment of a program of a dump: a few variables, English messages, and `more`. */
export function programVariables(
  variables: DumpContext['variables'],
  more: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const wanted: [string, string | undefined][] = [
    ['PATH', USUAL_PATH],
    ['LC_ALL', 'C.UTF-8'],
    ...HANDED_ON.map((name): [string, string | undefined] => [name, variables[name]]),
    ...Object.entries(more),
  ];
  return Object.fromEntries(wanted.filter((pair): pair is [string, string] => pair[1] !== undefined));
}
