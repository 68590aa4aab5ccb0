import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

import { CairnError, systemErrorCode } from '../errors.ts';
import { adviseReading } from '../host/at-calls.ts';
import type { FilePart } from '../pack/chunk-reader.ts';

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** Files that are open at a time: a walk alternates between the packs of a few threads that wrote them. */
const MOST_OPEN = 8;
/** For how long they stay open, milliseconds: what compaction deletes takes room as long as somebody has it open. */
const KEEP_MS = 1_000;

interface OpenFile {
  readonly fd: number;
  /** The kernel was told that all of it will be read. */
  advised: boolean;
}

function willNeed(open: OpenFile): void {
  if (open.advised) return;
  open.advised = true;
  adviseReading(open.fd, 0, fstatSync(open.fd).size);
}

/** Reads parts of packs that are files of this machine, in a thread that may wait for the disk. */
export class PackFiles {
  private readonly files = new Map<string, OpenFile>();
  private scratch = Buffer.allocUnsafeSlow(64 * 1024);
  private timer: NodeJS.Timeout | undefined;

  /**
   * The bytes; valid until the next call. Rejects with a system error, and when the file ends before.
   * @param soon more of the file will be asked for. Chunks lie in no order in a pack, which is slow to read by and by from a disk.
   */
  read({ file, offset, length }: FilePart, soon: boolean): Uint8Array {
    const open = this.open(file);
    if (soon) willNeed(open);
    if (this.scratch.length < length) this.scratch = Buffer.allocUnsafeSlow(length);
    for (let done = 0; done < length;) {
      const taken = readSync(open.fd, this.scratch, done, length - done, offset + done);
      if (taken === 0) throw new CairnError('OBJECT_MISSING', `${file} ends before a chunk in it does`);
      done += taken;
    }
    return this.scratch.subarray(0, length);
  }

  /** Has the disk bring all of the file. One that is not there is none that anybody reads. */
  advise(file: string): void {
    try {
      willNeed(this.open(file));
    } catch (error) {
      if (systemErrorCode(error) === undefined) throw error;
    }
  }

  private open(file: string): OpenFile {
    const known = this.files.get(file);
    if (known !== undefined) return known;
    const opened = { fd: openSync(file, FLAGS), advised: false };
    this.files.set(file, opened);
    for (const [oldest, { fd }] of this.files) {
      if (this.files.size <= MOST_OPEN) break;
      this.files.delete(oldest);
      closeSync(fd);
    }
    // They are closed with the thread.
    this.timer ??= setTimeout(() => this.closeAll(), KEEP_MS).unref();
    return opened;
  }

  private closeAll(): void {
    this.timer = undefined;
    for (const { fd } of this.files.values()) closeSync(fd);
    this.files.clear();
  }
}
