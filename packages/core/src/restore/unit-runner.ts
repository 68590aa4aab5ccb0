import { CHUNK_TYPE, ChunkOpener } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { statFd, writeAt } from '../host/at-calls.ts';
import type { UserTable } from '../host/users.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Zstd } from '../ports/zstd.ts';
import { decodeEntry, type TreeEntry } from '../tree/entry.ts';
import { finishHoles, SegmentCursor } from './file-content.ts';
import { MetadataWriter, type MetadataReport } from './metadata-writer.ts';
import { createFile, discardFile, placeFile, type NewFile, type Placement } from './new-file.ts';
import type { PrivilegedKind } from './options.ts';
import { targetFailure } from './target-failure.ts';
import {
  CHUNK_FIELDS,
  FILE_FIELDS,
  WRITE_FIELDS,
  type RunnerSetup,
  type UnitResult,
  type WorkUnit,
} from './work-unit.ts';

type Growing<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer Item)[] ? Item[] : T[K] };

const NOTHING = new Uint8Array(0);

/** Bytes of plaintext between two calls of `relieve`, each of which left up to twice as much garbage. */
const RELIEF_BYTES = 2 * 1024 * 1024;

/** Opens chunks and writes them to where they belong: all the work of a restore that takes processor time. Synchronous. */
export class UnitRunner {
  private readonly opener: ChunkOpener;
  private readonly metadata: MetadataWriter;
  private readonly sparse: boolean;
  private readonly placement: Placement;
  private readonly relieve: () => void;
  private openedBytes = 0;

  /** @param relieve collects young garbage; called after every few megabytes. */
  constructor(setup: RunnerSetup, suite: CryptoSuite, zstd: Zstd, users: UserTable, relieve: () => void) {
    this.opener = new ChunkOpener(suite, zstd, setup.keys);
    this.metadata = new MetadataWriter(setup.policy, users);
    this.sparse = setup.policy.sparse;
    this.placement = setup.policy.placement;
    this.relieve = relieve;
  }

  /** What fails for one chunk or file is part of the result. Throws `RIGHT_MISSING` and what is a mistake of the program. */
  run(unit: WorkUnit): UnitResult {
    const result: Growing<UnitResult> = {
      damaged: [],
      failedFiles: [],
      failedWrites: [],
      problems: [],
      notRestored: [],
      identities: [],
      replaced: 0,
    };
    let file = 0;
    let write = 0;
    for (let chunk = 0; chunk * CHUNK_FIELDS < unit.chunks.length; chunk++) {
      const [files = 0, writes = 0] = unit.chunks.subarray(chunk * CHUNK_FIELDS + 4, (chunk + 1) * CHUNK_FIELDS);
      const plaintext = this.open(unit, chunk, result);
      if (plaintext !== undefined) {
        for (let i = file; i < file + files; i++) this.makeFile(unit, i, plaintext, result);
        for (let i = write; i < write + writes; i++) writePart(unit, i, plaintext, result);
      }
      file += files;
      write += writes;
      this.openedBytes += plaintext?.length ?? 0;
      if (this.openedBytes < RELIEF_BYTES) continue;
      this.openedBytes = 0;
      this.relieve();
    }
    return result;
  }

  /** Undefined, and noted, when the chunk is damaged. */
  private open(unit: WorkUnit, chunk: number, result: Growing<UnitResult>): Uint8Array | undefined {
    const at = chunk * CHUNK_FIELDS;
    const [offset = 0, storedLength = 0, length = 0, session = 0] = unit.chunks.subarray(at, at + 4);
    if (storedLength === 0) return NOTHING;
    const bytes = unit.bytes.subarray(offset, offset + storedLength);
    try {
      const plaintext = unit.opened ? bytes : this.unseal(unit, chunk, session, bytes);
      if (plaintext.length !== length) {
        throw new CairnError('CORRUPT', 'a chunk is not as long as the reference to it says');
      }
      return plaintext;
    } catch (error) {
      if (!isCairnError(error, 'CORRUPT')) throw error;
      result.damaged.push({ chunk, reason: error.message });
      return undefined;
    }
  }

  private unseal(unit: WorkUnit, chunk: number, session: number, bytes: Uint8Array): Uint8Array {
    const id = unit.ids.subarray(chunk * 32, chunk * 32 + 32);
    const from = unit.sessions[session];
    if (from === undefined) throw new CairnError('CORRUPT', 'the index names a session that its pack does not have');
    return this.opener.open(CHUNK_TYPE.data, id, from, bytes);
  }

  private makeFile(unit: WorkUnit, file: number, content: Uint8Array, result: Growing<UnitResult>): void {
    const at = file * FILE_FIELDS;
    const [dirFd = 0, offset = 0, length = 0, tellIdentity = 0] = unit.files.subarray(at, at + FILE_FIELDS);
    const entry = decodeEntry(unit.entries.subarray(offset, offset + length));
    const report: MetadataReport = {
      problem: (kind, reason) => result.problems.push({ file, kind, reason }),
      notRestored: (kind: PrivilegedKind) => result.notRestored.push(kind),
    };
    let made: NewFile | undefined;
    try {
      made = createFile(dirFd, entry.name, this.placement);
      this.fill(made.fd, entry, content, report);
      const identity = tellIdentity === 0 ? undefined : statFd(made.fd);
      const finished = made;
      made = undefined;
      if (placeFile(finished)) result.replaced += 1;
      this.metadata.afterPlacing(dirFd, entry, report);
      if (identity !== undefined) result.identities.push({ file, device: identity.device, inode: identity.inode });
    } catch (error) {
      if (made !== undefined) discardFile(made);
      result.failedFiles.push({ file, failure: targetFailure(error) });
    }
  }

  private fill(fd: number, entry: TreeEntry, content: Uint8Array, report: MetadataReport): void {
    this.metadata.begin(fd, entry);
    if (entry.holes === null) {
      if (content.length > 0) writeAt(fd, content, 0);
    } else {
      for (const { from, length, fileOffset } of new SegmentCursor(entry).take(content.length)) {
        writeAt(fd, content.subarray(from, from + length), fileOffset);
      }
      finishHoles(fd, entry, this.sparse);
    }
    this.metadata.finish(fd, entry, report);
  }
}

function writePart(unit: WorkUnit, write: number, plaintext: Uint8Array, result: Growing<UnitResult>): void {
  const at = write * WRITE_FIELDS;
  const [fd = 0, from = 0, length = 0, fileOffset = 0] = unit.writes.subarray(at, at + WRITE_FIELDS);
  try {
    writeAt(fd, plaintext.subarray(from, from + length), fileOffset);
  } catch (error) {
    result.failedWrites.push({ write, failure: targetFailure(error) });
  }
}
