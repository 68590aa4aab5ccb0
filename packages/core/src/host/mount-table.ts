import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { systemErrorCode } from '../errors.ts';

/** The type that tables of mounts show for what this program mounts. */
export const FILE_SYSTEM_TYPE = 'fuse.cairn';

/** One line of `/proc/self/mountinfo` (proc(5)). */
export interface MountEntry {
  readonly id: number;
  readonly directory: string;
  readonly type: string;
  readonly source: string;
  /** `major:minor` of the device that files on it show. */
  readonly device: string;
}

/** What is mounted, the newest last. The truth, whoever mounted it. Throws a system error when it cannot be read. */
export function readMountTable(path = '/proc/self/mountinfo'): MountEntry[] {
  return parseMountTable(readFileSync(path, 'utf8'));
}

export function parseMountTable(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [id = '', , device = '', , directory = ''] = before.split(' ');
      const [type = '', source = ''] = after.split(' ');
      return { id: Number(id), directory: unescaped(directory), type, source: unescaped(source), device };
    });
}

/** Blank, tab, newline and backslash are written in octal. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The newest mount at exactly this directory, or undefined. */
export function mountAt(directory: string): MountEntry | undefined {
  return readMountTable().findLast((entry) => entry.directory === directory);
}

/** How long a look at a mount may take before it counts as alive but slow, milliseconds. */
const LOOK_MS = 2_000;

/** True when nobody serves the mount any more: its process was killed. */
export async function isDead({ directory }: MountEntry): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), LOOK_MS)));
  const looked = stat(directory).then(
    () => false,
    (error: unknown) => systemErrorCode(error) === 'ENOTCONN' || systemErrorCode(error) === 'ECONNABORTED',
  );
  try {
    return await Promise.race([looked, patience]);
  } finally {
    clearTimeout(timer);
  }
}
