import type { SessionPublic } from '../crypto/chunk-crypto.ts';
import type { ChunkTask } from './chunk-task.ts';
import type { LargePart, SmallFile } from './pending-entry.ts';
import type { TargetDirectory } from './target-directory.ts';
import { CHUNK_FIELDS, FILE_FIELDS, type WorkUnit } from './work-unit.ts';

/** Bounds of a unit: what one thread does at a time, and how many directories must be held open for it. */
const UNIT_USES = 256;
const UNIT_DIRECTORIES = 48;
const TASK_USES = 32;
const UNIT_PLAINTEXT_BYTES = 16 * 1024 * 1024;
const UNIT_ENTRY_BYTES = 4 * 1024 * 1024;

/** Divides work into units, in the order of the walk, so that files of one directory come together. */
export function divideTasks(tasks: readonly ChunkTask[]): ChunkTask[][] {
  const bounded = tasks.flatMap(splitTask).sort((a, b) => orderOf(a) - orderOf(b));
  const units: ChunkTask[][] = [];
  let size = new UnitSize();
  for (const task of bounded) {
    if (!size.take(task)) {
      size = new UnitSize();
      size.take(task);
    }
    if (size.tasks === 1) units.push([]);
    units.at(-1)?.push(task);
  }
  return units;
}

/** A chunk that very many files share is opened several times, each time for some of them. */
function splitTask(task: ChunkTask): ChunkTask | ChunkTask[] {
  if (task.uses.length <= TASK_USES) return task;
  const tasks: ChunkTask[] = [];
  for (let at = 0; at < task.uses.length; at += TASK_USES) {
    tasks.push({ ...task, uses: task.uses.slice(at, at + TASK_USES) });
  }
  return tasks;
}

function orderOf({ uses }: ChunkTask): number {
  return uses[0]?.order ?? 0;
}

class UnitSize {
  tasks = 0;
  private readonly directories = new Set<TargetDirectory>();
  private last: TargetDirectory | undefined;
  private uses = 0;
  private plaintextBytes = 0;
  private entryBytes = 0;

  /** False when the unit has no room for the task. The first always fits. */
  take(task: ChunkTask): boolean {
    const plaintextBytes = this.plaintextBytes + (task.uses[0]?.length ?? 0);
    const fits =
      this.uses + task.uses.length <= UNIT_USES &&
      this.directories.size < UNIT_DIRECTORIES &&
      plaintextBytes <= UNIT_PLAINTEXT_BYTES &&
      this.entryBytes <= UNIT_ENTRY_BYTES;
    if (this.tasks > 0 && !fits) return false;
    this.tasks += 1;
    this.uses += task.uses.length;
    this.plaintextBytes = plaintextBytes;
    for (const { file } of task.uses) if (file !== undefined) this.addFile(file);
    return true;
  }

  private addFile({ encodedLength, site: { directory } }: SmallFile): void {
    this.entryBytes += encodedLength;
    if (directory === this.last) return;
    this.last = directory;
    this.directories.add(directory);
  }
}

/** A unit, and what its numbers stand for. */
export interface EncodedUnit {
  readonly unit: WorkUnit;
  readonly tasks: readonly ChunkTask[];
  /** By their numbers in the unit. */
  readonly files: readonly SmallFile[];
  readonly writes: readonly LargePart[];
}

export interface EncodeOptions {
  readonly opened: boolean;
  /** The memory that the bytes of all tasks lie in, when nobody else needs it: it is passed on instead of copied. */
  readonly whole: Uint8Array | undefined;
  readonly directoryFd: (file: SmallFile) => number;
  readonly fileFd: (part: LargePart) => number;
}

/** Puts tasks into the flat form of a unit. */
export function encodeUnit(tasks: readonly ChunkTask[], options: EncodeOptions): EncodedUnit {
  const { bytes, offsets } = gatherBytes(tasks, options.whole);
  const sessions: SessionPublic[] = [];
  const chunks = new Uint32Array(CHUNK_FIELDS * tasks.length);
  const ids = new Uint8Array(32 * tasks.length);
  const files: SmallFile[] = [];
  const writes: LargePart[] = [];
  const writeFields: number[] = [];
  let at = 0;
  for (const [i, { uses, session, bytes: part }] of tasks.entries()) {
    const before = { files: files.length, writes: writes.length };
    for (const use of uses) {
      if (use.file !== undefined) files.push(use.file);
      else if (use.part !== undefined) addWrites(use.part, options.fileFd(use.part), writes, writeFields);
    }
    const [first] = uses;
    if (first?.id !== undefined) ids.set(first.id, 32 * i);
    chunks[at] = offsets[i] ?? 0;
    chunks[at + 1] = part?.length ?? 0;
    chunks[at + 2] = first?.length ?? 0;
    chunks[at + 3] = session === undefined ? 0 : numberOf(session, sessions);
    chunks[at + 4] = files.length - before.files;
    chunks[at + 5] = writes.length - before.writes;
    at += CHUNK_FIELDS;
  }
  const unit: WorkUnit = {
    bytes,
    opened: options.opened,
    sessions,
    ids,
    chunks,
    ...encodeFiles(files, options.directoryFd),
    writes: Float64Array.from(writeFields),
  };
  return { unit, tasks, files, writes };
}

function addWrites(part: LargePart, fd: number, writes: LargePart[], fields: number[]): void {
  for (const { from, length, fileOffset } of part.segments) {
    writes.push(part);
    fields.push(fd, from, length, fileOffset);
  }
}

function numberOf(session: SessionPublic, sessions: SessionPublic[]): number {
  const known = sessions.indexOf(session);
  return known === -1 ? sessions.push(session) - 1 : known;
}

/** The bytes of all tasks in memory that may be given away, and where in it those of each are. */
function gatherBytes(
  tasks: readonly ChunkTask[],
  whole: Uint8Array | undefined,
): { readonly bytes: Uint8Array; readonly offsets: readonly number[] } {
  if (whole !== undefined && whole.byteLength === whole.buffer.byteLength) {
    return { bytes: whole, offsets: tasks.map(({ bytes }) => bytes?.byteOffset ?? 0) };
  }
  const bytes = new Uint8Array(tasks.reduce((sum, task) => sum + (task.bytes?.length ?? 0), 0));
  let end = 0;
  const offsets = tasks.map((task) => {
    const offset = end;
    if (task.bytes !== undefined) bytes.set(task.bytes, offset);
    end += task.bytes?.length ?? 0;
    return offset;
  });
  return { bytes, offsets };
}

function encodeFiles(
  files: readonly SmallFile[],
  directoryFd: (file: SmallFile) => number,
): Pick<WorkUnit, 'entries' | 'files'> {
  const entries = new Uint8Array(files.reduce((sum, { encodedLength }) => sum + encodedLength, 0));
  const fields = new Int32Array(FILE_FIELDS * files.length);
  let at = 0;
  for (const [i, file] of files.entries()) {
    entries.set(file.encoded, at);
    fields[FILE_FIELDS * i] = directoryFd(file);
    fields[FILE_FIELDS * i + 1] = at;
    fields[FILE_FIELDS * i + 2] = file.encodedLength;
    fields[FILE_FIELDS * i + 3] = file.linkKey === undefined ? 0 : 1;
    at += file.encodedLength;
  }
  return { entries, files: fields };
}
