import { makeCutter } from '../chunker/cutter.ts';
import type { ChunkerParameters } from '../chunker/fastcdc.ts';
import type { FileStatus } from '../host/at-calls.ts';
import { processOwner } from '../host/effective-user.ts';
import type { ContentSource } from '../ports/content-source.ts';
import type { Clock } from '../ports/environment.ts';
import { EMPTY_CONTENT, type StoreChunk } from '../tree/content.ts';
import { ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';
import { ChunkSpreader } from './chunk-spreader.ts';
import { WINDOW_BYTES } from './content-processor.ts';
import type { Crew } from './crew.ts';
import type { EntryMaker } from './entry-maker.ts';
import type { Problems } from './problems.ts';
import { StreamStore } from './stream-store.ts';

/** Who owns it may do all with a directory that leads to a content, others may look. */
const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o600;

export interface ContentIntakeSetup {
  readonly crew: Crew;
  readonly store: StoreChunk;
  readonly gearTable: Int32Array;
  readonly chunkerData: ChunkerParameters;
  readonly maker: EntryMaker;
  readonly problems: Problems;
  readonly clock: Clock;
  /** Look only: nothing is opened. */
  readonly dryRun: boolean;
}

/** Reads contents, one after the other in the order of their paths, and makes files of them. */
export class ContentIntake {
  private readonly setup: ContentIntakeSetup;
  private readonly stopping = new AbortController();
  private tail: Promise<unknown> = Promise.resolve();
  private streams: { readonly spreader: ChunkSpreader; readonly store: StreamStore } | undefined;

  constructor(setup: ContentIntakeSetup) {
    this.setup = setup;
  }

  /** The status of a directory that exists for contents only. */
  directoryStatus(): FileStatus {
    const now = this.setup.clock.nowNs();
    return statusOf(ENTRY_KIND.directory, { mode: DIRECTORY_MODE, mtimeNs: now, ctimeNs: now });
  }

  /**
   * Resolves with the file of a content; with undefined, and reported, when it did not end well.
   * @param onBytes hears of the bytes of each piece, and at last of those that do not count after all, negative.
   */
  take(name: string, content: ContentSource, onBytes: (bytes: number) => void): Promise<TreeEntry | undefined> {
    const taken = this.tail.then(() => this.read(name, content, onBytes));
    this.tail = taken.catch(() => undefined);
    return taken;
  }

  /** Ends what is being read; resolves when nothing is. */
  async stop(): Promise<void> {
    this.stopping.abort(new Error('the backup was stopped'));
    await this.tail;
  }

  private async read(
    name: string,
    content: ContentSource,
    onBytes: (bytes: number) => void,
  ): Promise<TreeEntry | undefined> {
    const { maker, problems, clock, dryRun } = this.setup;
    const { signal } = this.stopping;
    signal.throwIfAborted();
    const openedNs = clock.nowNs();
    const { mode = FILE_MODE, mtimeNs = openedNs, uid, gid } = content;
    const { spreader, store } = this.open();
    const result = dryRun ? NOTHING : await store.read(begin(content, signal), signal, onBytes);
    if (!result.ok) {
      onBytes(-result.length);
      problems.add('content', content.path, `nothing of it is stored: ${reasonOf(result.reason)}`);
      return undefined;
    }
    spreader.submit();
    const size = result.length;
    const owner = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
    const status = statusOf(ENTRY_KIND.file, { mode, mtimeNs, ctimeNs: openedNs, size, ...owner });
    if (!maker.canKeep(content.path, status)) return undefined;
    const facts = { xattrs: null, flags: null, holes: null, content: await result.content, changed: false };
    return maker.file(name, content.path, status, facts);
  }

  private open(): { readonly spreader: ChunkSpreader; readonly store: StreamStore } {
    if (this.streams === undefined) {
      const { crew, store, gearTable, chunkerData } = this.setup;
      const spreader = new ChunkSpreader(crew);
      const cutter = makeCutter(gearTable, chunkerData, WINDOW_BYTES);
      this.streams = { spreader, store: new StreamStore(cutter, spreader, store) };
    }
    return this.streams;
  }
}

const NOTHING = { ok: true, length: 0, content: Promise.resolve(EMPTY_CONTENT) } as const;

/** What `open` itself throws fails the content like what its iteration throws. */
async function* begin(content: ContentSource, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield* content.open(signal);
}

function reasonOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}

type Said = Pick<FileStatus, 'mode' | 'mtimeNs' | 'ctimeNs'> & Partial<Pick<FileStatus, 'uid' | 'gid' | 'size'>>;

/** Inode 0 is no file's: a later run never takes such an entry for a file that it finds. */
function statusOf(kind: FileStatus['kind'], said: Said): FileStatus {
  return { kind, links: 1, size: 0, blocks: 0, inode: 0n, device: 0, major: 0, minor: 0, ...processOwner(), ...said };
}
