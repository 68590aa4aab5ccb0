import { spawn, type ChildProcess } from 'node:child_process';

import { systemErrorCode } from '../errors.ts';

/** Milliseconds that a program has to end by itself after SIGTERM. */
const GRACE_MS = 5_000;

/** Waits until its input ends, which happens when this process is gone however it went, and kills the group. */
const GUARD = 'read -r line; kill -s KILL -- "-$1"';

/**
 * A program that was spawned `detached`, and all that it started: both are ended together, and when this process is gone, however it
 * went, too.
 */
export class ProcessGroup {
  private readonly child: ChildProcess;
  private readonly guard: ChildProcess | undefined;
  private killing: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess) {
    this.child = child;
    if (child.pid === undefined) return;
    this.guard = spawn('/bin/sh', ['-c', GUARD, 'sh', String(child.pid)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
      env: {},
    });
    // Without the guard a kill -9 of this process leaves the program to find out by itself; the content is as good.
    this.guard.on('error', () => undefined);
    this.guard.stdin?.on('error', () => undefined);
  }

  /** Asks it to end with SIGTERM, and ends it with SIGKILL when it does not within 5 seconds. */
  end(): void {
    if (this.killing !== undefined || this.child.pid === undefined) return;
    this.signal('SIGTERM');
    this.killing = setTimeout(() => {
      this.signal('SIGKILL');
      // Something in a group of its own may still hold it open.
      this.child.stdout?.destroy();
    }, GRACE_MS);
    // What it started may be ending still, after it: that has its time, too.
    const done = (): void => {
      if (!this.hasMembers()) clearTimeout(this.killing);
    };
    this.child.once('exit', done);
    if (this.child.exitCode !== null || this.child.signalCode !== null) done();
  }

  /** Lets go of a program that has ended, or that was told to. */
  release(): void {
    if (this.child.exitCode !== null || this.child.signalCode !== null) this.guard?.kill('SIGKILL');
    else this.child.once('exit', () => this.guard?.kill('SIGKILL'));
  }

  private hasMembers(): boolean {
    return this.signal(0);
  }

  /** False when the group has nobody any more. */
  private signal(name: 'SIGTERM' | 'SIGKILL' | 0): boolean {
    const { pid } = this.child;
    if (pid === undefined) return false;
    try {
      return process.kill(-pid, name);
    } catch (error) {
      if (systemErrorCode(error) !== 'ESRCH') throw error;
      return false;
    }
  }
}
