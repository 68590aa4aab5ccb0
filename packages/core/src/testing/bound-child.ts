import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';

/**
 * Starts a process that does not outlive this one, however this one ends: the kernel kills it (prctl(2), PR_SET_PDEATHSIG, by
 * setpriv(1) of util-linux). For servers that tests start: a test that fails, hangs or is killed leaves none behind.
 */
export function spawnBound(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], options);
}
