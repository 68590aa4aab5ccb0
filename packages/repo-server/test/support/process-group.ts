import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long processes that were killed may take to be gone. */
const PATIENCE_MS = 10_000;

/** A group of processes of cgroup2 (cgroups(7)) below that of this process, without limits: to end all of them at once. */
export class ProcessGroup {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Throws where none can be made: without cgroup2, or where it is read-only. */
  static make(name: string): ProcessGroup {
    const mounted = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .find(([, , type]) => type === 'cgroup2');
    const [, own] = /^0::(\/.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8')) ?? [];
    if (mounted?.[1] === undefined || own === undefined) throw new Error('cgroup2 is not mounted');
    const directory = join(mounted[1], own, name);
    mkdirSync(directory);
    return new ProcessGroup(directory);
  }

  /** Kills all that is in it and removes it, with the groups that were made below it. */
  async remove(): Promise<void> {
    writeFileSync(join(this.directory, 'cgroup.kill'), '1');
    const until = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        removeWithAllBelow(this.directory);
        return;
      } catch (cause) {
        if (Date.now() > until) throw cause;
        await sleep(20);
      }
    }
  }
}

/** Files of a group cannot be removed, and need not be. */
function removeWithAllBelow(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeWithAllBelow(join(directory, entry.name));
  }
  rmdirSync(directory);
}
