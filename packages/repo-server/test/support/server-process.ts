import { spawnBound } from '@cairn/core/testing';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** The server as a process of its own, to be killed. */
export class ServerProcess {
  readonly address: string;
  readonly child: ChildProcess;

  private constructor(child: ChildProcess, address: string) {
    this.child = child;
    this.address = address;
  }

  /** Resolves when it listens; rejects with what it says when it ends instead. */
  static async start(config: string): Promise<ServerProcess> {
    const child = spawnBound(process.execPath, [MAIN, 'serve', '--config', config], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const { stderr } = child;
    if (stderr === null) throw new Error('the server has no standard error');
    let said = '';
    const address = await new Promise<string>((resolve, reject) => {
      stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const [, found] = /"address":"([^"]+)"/.exec(said) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once('exit', (status) => reject(new Error(`the server ended with status ${status}: ${said}`)));
    });
    return new ServerProcess(child, address);
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }

  /** The most memory that it has had so far, bytes (proc_pid_status(5), VmHWM). */
  peakMemory(): number {
    const [, kib = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8')) ?? [];
    return Number(kib) * 1024;
  }
}
