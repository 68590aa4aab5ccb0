import { systemEnvironment, type Clock, type Random } from '@cairn/core/server';

/** What a command of `cairn-server` has to work with. */
export interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly print: (line: string) => void;
  readonly writeLog: (line: string) => void;
  readonly sshClient: string | undefined;
  readonly signal: AbortSignal;
}

/** This process. */
export function processSurroundings(signal: AbortSignal): Surroundings {
  const { clock, random } = systemEnvironment;
  const [sshClient] = (process.env['SSH_CONNECTION'] ?? '').split(' ');
  return {
    clock,
    random,
    print: (line) => void process.stdout.write(`${line}\n`),
    writeLog: (line) => void process.stderr.write(line),
    sshClient: sshClient === '' ? undefined : sshClient,
    signal,
  };
}
