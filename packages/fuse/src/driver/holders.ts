import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process that keeps a mount busy. */
export interface Holder {
  readonly pid: number;
  readonly command: string;
  /** What it holds: its working directory, an open file. */
  readonly path: string;
}

/** Links in a process's folder that may lead into a mount (proc(5)). */
const LINKS = ['cwd', 'root', 'exe'] as const;

/**
 * The processes that have a file or directory below `directory` open, one line for each. Looks at names only, so a mount that
 * does not answer keeps nobody waiting. Processes of other users show only to root.
 */
export function holdersOf(directory: string): Holder[] {
  const holders: Holder[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const path = heldPath(name, directory);
    if (path !== undefined) holders.push({ pid: Number(name), command: commandOf(name), path });
  }
  return holders;
}

function heldPath(pid: string, directory: string): string | undefined {
  const links = [...LINKS, ...namesIn(`/proc/${pid}/fd`).map((fd) => `fd/${fd}`)];
  for (const link of links) {
    const path = linkTarget(`/proc/${pid}/${link}`);
    if (path !== undefined && isBelow(path, directory)) return path;
  }
  return namesIn(`/proc/${pid}/map_files`)
    .map((range) => linkTarget(`/proc/${pid}/map_files/${range}`))
    .find((path) => path !== undefined && isBelow(path, directory));
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** Processes end while they are looked at, and those of others cannot be looked into: both hold nothing that can be named. */
function unlessGone<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

function namesIn(folder: string): string[] {
  return unlessGone(() => readdirSync(folder), []);
}

function linkTarget(path: string): string | undefined {
  return unlessGone(() => readlinkSync(path), undefined);
}

function commandOf(pid: string): string {
  return unlessGone(() => readFileSync(`/proc/${pid}/comm`, 'utf8').trim(), '?');
}
