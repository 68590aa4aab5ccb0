import { adviseReading, closeFd } from '../host/at-calls.ts';
import type { FileTask } from './messages.ts';
import { openSource } from './open-source.ts';

/** Files that are open beyond the one being read: enough requests for a disk to put in an order of its own. */
const AHEAD = 32;

/**
 * Opens the files of a batch some way ahead and tells the kernel that they will be read, so that while one file is worked on
 * the next are on their way from the disk. Each file is opened once all the same.
 */
export class OpenAhead {
  private readonly tasks: readonly FileTask[];
  private readonly opened = new Map<number, number | { readonly error: unknown }>();
  private next = 0;

  constructor(tasks: readonly FileTask[]) {
    this.tasks = tasks;
  }

  /** Descriptor of file `i`, which is the caller's to close. Ask in order. Throws a system error. */
  take(i: number): number {
    for (; this.next < this.tasks.length && this.next <= i + AHEAD; this.next++)
      this.opened.set(this.next, this.open(this.next));
    const found = this.opened.get(i);
    this.opened.delete(i);
    if (typeof found !== 'number') throw found?.error;
    return found;
  }

  private open(i: number): number | { readonly error: unknown } {
    const { directoryFd, name, status } = this.tasks[i] as FileTask;
    try {
      const fd = openSource(directoryFd, name);
      adviseReading(fd, 0, status.size);
      return fd;
    } catch (error) {
      return { error };
    }
  }

  /** Closes what was not taken. */
  close(): void {
    for (const found of this.opened.values()) if (typeof found === 'number') closeFd(found);
    this.opened.clear();
  }
}
