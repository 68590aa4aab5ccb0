import { readdirSync, readFileSync } from 'node:fs';

/** Whether a process of this machine is at work on a mount at `directory`: `cairn mount … DIRECTORY`, whoever started it. */
export function isBeingMounted(directory: string): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    const words = commandLine(name);
    return words.includes('mount') && words.at(-1) === directory;
  });
}

/** Arguments end with a NUL each (proc_pid_cmdline(5)). One that ended meanwhile has none. */
function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}
