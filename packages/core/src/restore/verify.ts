import { closeFd, dropCached } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { childPath } from '../tree/archive-path.ts';
import type { ChosenEntry, WalkVisitor } from './archive-walk.ts';
import type { ContentComparer } from './compare-content.ts';
import { ExistingDirectories } from './existing-directories.ts';
import { openExisting, statusOf } from './in-place.ts';
import type { Reporter } from './reporter.ts';
import type { StopSwitch } from './stop-switch.ts';
import { TargetDirectory } from './target-directory.ts';
import { isSystemError } from './target-failure.ts';

/** Which files of a walk were written: one bit for each, in the order of the walk. */
export class WrittenFiles {
  private bits = new Uint8Array(1024);

  add(number: number): void {
    const at = number >>> 3;
    if (at >= this.bits.length) {
      const grown = new Uint8Array(Math.max(at + 1, 2 * this.bits.length));
      grown.set(this.bits);
      this.bits = grown;
    }
    this.bits[at] = (this.bits[at] ?? 0) | (1 << (number & 7));
  }

  has(number: number): boolean {
    return ((this.bits[number >>> 3] ?? 0) & (1 << (number & 7))) !== 0;
  }
}

/** Reads back from disk what a restore has written, in a walk of the same selection. */
export class Verifier implements WalkVisitor {
  private readonly written: WrittenFiles;
  private readonly content: ContentComparer;
  private readonly reporter: Reporter;
  private readonly stop: StopSwitch;
  private readonly directories = new ExistingDirectories();
  private readonly open = new Set<TargetDirectory>();
  private number = 0;

  constructor(written: WrittenFiles, content: ContentComparer, reporter: Reporter, stop: StopSwitch) {
    this.written = written;
    this.content = content;
    this.reporter = reporter;
    this.stop = stop;
  }

  enter({ site, entry }: ChosenEntry, path: ByteString): TargetDirectory {
    const directory = new TargetDirectory(site.directory, entry.name, path, 0, undefined);
    if (this.directories.enter(directory) !== -1) this.open.add(directory);
    return directory;
  }

  async file({ site, entry }: ChosenEntry): Promise<void> {
    const number = this.number++;
    if (!this.written.has(number)) return;
    const path = childPath(site.path, entry.name);
    const dirFd = site.directory.fd;
    const status = dirFd === -1 ? undefined : statusOf(dirFd, entry.name);
    const fd = status && openExisting(dirFd, entry.name, status);
    if (fd === undefined) {
      // What could not be made was told already.
      if (!this.reporter.lacksEntries) this.reporter.problem('verify', path, 'it is not there to be read back');
      return;
    }
    try {
      dropCached(fd);
      if (await this.content.isEqual(fd, entry)) this.reporter.verified();
      else this.reporter.problem('verify', path, 'it reads back other than it was written');
    } catch (error) {
      if (!isSystemError(error)) throw error;
      this.reporter.problem('verify', path, error.message);
    } finally {
      closeFd(fd);
    }
  }

  other(): void {
    // Their making failed or not: there is nothing in them to read back.
  }

  leave(directory: TargetDirectory): void {
    this.open.delete(directory);
    this.directories.leave(directory);
  }

  damaged(): void {
    // The walk that restored has told it.
  }

  check(): void {
    this.stop.check();
  }

  /** Closes what a walk that failed has left open. */
  close(): void {
    for (const directory of this.open) this.directories.leave(directory);
  }
}
