import { hostname } from 'node:os';

import { ChunkSpreader } from '../backup/chunk-spreader.ts';
import { WINDOW_BYTES } from '../backup/content-processor.ts';
import { DirectoryBuilder } from '../backup/directory-builder.ts';
import { Problems, type Problem, type ProblemKind } from '../backup/problems.ts';
import { startStoring, type Storing } from '../backup/storing.ts';
import { StreamStore } from '../backup/stream-store.ts';
import { makeCutter } from '../chunker/cutter.ts';
import { CairnError, invariant } from '../errors.ts';
import { processOwner } from '../host/effective-user.ts';
import { systemUsers } from '../host/users.ts';
import { toHex } from '../ids.ts';
import type { ArchiveStats } from '../log/descriptor.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { TAR_TYPE } from '../tar/header.ts';
import { ImportedDirectory, ImportedFile, ImportTree } from '../tar/import-tree.ts';
import { memberEntry } from '../tar/member-entry.ts';
import { memberNames } from '../tar/member-path.ts';
import { TarReader, type TarMember } from '../tar/tar-reader.ts';
import { EMPTY_CONTENT, type ContentReference } from '../tree/content.ts';
import { decodeEntry, ENTRY_KIND, EntryEncoder, type TreeEntry } from '../tree/entry.ts';
import { archiveName, commitArchive } from './commit-archive.ts';

/** What the archive that is made of a tar stream says of itself. */
export interface ImportTarOptions {
  /** `tar` unless given, so that retention of a job's series does not count what was imported. */
  readonly series?: string;
  readonly host?: string;
  readonly user?: string;
  readonly comment?: string;
  readonly tags?: readonly string[];
  readonly threads?: number;
  /** zstd level, 1 to 22. Default 3. */
  readonly compressionLevel?: number;
  readonly program?: string;
}

export interface ImportTarProgress {
  readonly members: number;
  /** Content of files, holes included. */
  readonly bytes: number;
}

export interface ImportTarRun {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ImportTarProgress) => void;
  readonly onProblem?: (problem: Problem) => void;
}

/** The archive that was made of a tar stream. */
export interface ImportTarReport {
  readonly archive: ArchiveRecord;
  readonly stats: ArchiveStats;
  readonly problems: readonly Problem[];
  readonly problemCounts: ReadonlyMap<ProblemKind, number>;
  readonly durationMs: number;
}

/**
 * Makes an archive of a tar stream. Either all of it becomes the archive, or nothing is committed: what was stored by then is
 * found again by the next run. Rejects with `TAR_INVALID` when the stream is damaged, cut off or not allowed, naming the byte;
 * with `RIGHT_MISSING`, `PLAN_STALE` when packs that it relies on were removed meanwhile, `CANCELLED`, and like the store.
 */
export async function importTar(
  access: RepositoryAccess,
  pieces: AsyncIterable<Uint8Array>,
  options: ImportTarOptions = {},
  run: ImportTarRun = {},
): Promise<ImportTarReport> {
  const storing = await startStoring(access, options);
  const tarImport = new TarImport(access, storing, options, run);
  try {
    return await tarImport.run(pieces);
  } catch (error) {
    await storing.crew.stop();
    await storing.uploader.listDurable();
    throw error;
  } finally {
    await storing.crew.stop();
  }
}

const DEFAULT_SERIES = 'tar';
const NEVER = new AbortController().signal;
const NOTHING = {
  size: 0,
  inode: 0n,
  link: null,
  device: null,
  target: null,
  xattrs: null,
  flags: null,
  holes: null,
  content: null,
  state: 0,
} as const;

type MutableStats = { -readonly [K in 'files' | 'directories' | 'others' | 'bytes']: number };

class TarImport {
  private readonly access: RepositoryAccess;
  private readonly storing: Storing;
  private readonly options: ImportTarOptions;
  private readonly runOptions: ImportTarRun;
  private readonly spreader: ChunkSpreader;
  private readonly streams: StreamStore;
  private readonly problems: Problems;
  private readonly tree = new ImportTree();
  private readonly encoder = new EntryEncoder();
  private readonly users = systemUsers();
  private readonly startNs: bigint;
  private readonly startMs: number;
  private readonly contents = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;
  private members = 0;
  private bytes = 0;

  constructor(access: RepositoryAccess, storing: Storing, options: ImportTarOptions, run: ImportTarRun) {
    this.access = access;
    this.storing = storing;
    this.options = options;
    this.runOptions = run;
    this.spreader = new ChunkSpreader(storing.crew);
    const cutter = makeCutter(storing.setup.gearTable, storing.setup.chunkerData, WINDOW_BYTES);
    this.streams = new StreamStore(cutter, this.spreader, storing.trees.store);
    this.problems = new Problems(run.onProblem);
    this.startNs = access.environment.clock.nowNs();
    this.startMs = access.environment.clock.monotonicMs();
  }

  async run(pieces: AsyncIterable<Uint8Array>): Promise<ImportTarReport> {
    const { access, storing, problems } = this;
    for await (const member of new TarReader(pieces).members()) {
      this.checkStop();
      await this.take(member);
      this.members += 1;
      if (this.members % 256 === 0) await storing.local.passFullPacks();
      this.runOptions.onProgress?.({ members: this.members, bytes: this.bytes });
    }
    this.spreader.submit();
    await Promise.all(this.contents);
    this.checkStop();
    const stats: MutableStats = { files: 0, directories: 0, others: 0, bytes: 0 };
    const content = await this.build(this.tree.root, stats);
    const root = this.encoder.encode({ ...this.directoryEntry('', this.tree.root), content });
    await storing.crew.flush();
    await storing.uploader.putSegment();
    const archive = await this.commit(root, this.allStats(stats));
    return {
      archive,
      stats: archive.descriptor.stats,
      problems: problems.kept,
      problemCounts: problems.counts,
      durationMs: access.environment.clock.monotonicMs() - this.startMs,
    };
  }

  private async take(member: TarMember): Promise<void> {
    const { offset, type, path } = member;
    const names = memberNames(path, offset);
    if (type === TAR_TYPE.hardLink) {
      const file = this.tree.linked(memberNames(member.linkPath, offset), offset);
      file.names += 1;
      this.tree.put(names, file, offset);
      return;
    }
    const report = (what: string): void => this.problems.add('unsupported', `/${names.join('/')}`, what);
    const inode = BigInt(this.members + 1);
    const entry = memberEntry(member, names.at(-1) ?? '', inode, this.users, report);
    if (entry.kind === ENTRY_KIND.directory) {
      this.tree.directory(names, offset).entry = entry;
      return;
    }
    const file = new ImportedFile();
    this.tree.put(names, file, offset);
    if (entry.kind === ENTRY_KIND.file) await this.readContent(member, entry, file);
    else file.encoded = this.encoder.encode(entry);
  }

  private async readContent(member: TarMember, entry: TreeEntry, file: ImportedFile): Promise<void> {
    const result = await this.streams.read(member.content(), this.runOptions.signal ?? NEVER);
    if (!result.ok) {
      this.checkStop();
      throw result.reason;
    }
    this.bytes += entry.size;
    const storing = result.content.then(
      (content) => {
        file.encoded = this.encoder.encode({ ...entry, content });
      },
      (error: unknown) => {
        this.failure ??= { error };
      },
    );
    const done = storing.finally(() => this.contents.delete(done));
    this.contents.add(done);
  }

  /** Stores the trees, inner ones first. */
  private async build(directory: ImportedDirectory, stats: MutableStats): Promise<ContentReference> {
    let content: ContentReference = EMPTY_CONTENT;
    const builder = new DirectoryBuilder(this.storing.trees, { count: 0 }, (done) => (content = done));
    for (const name of [...directory.children.keys()].sort()) {
      const child = directory.children.get(name);
      invariant(child !== undefined, 'the name is one of those of the directory');
      directory.children.delete(name);
      builder.fill(builder.reserve(), await this.encodeChild(name, child, stats));
    }
    builder.close();
    await this.storing.local.passFullPacks();
    return content;
  }

  private async encodeChild(
    name: string,
    child: ImportedDirectory | ImportedFile,
    stats: MutableStats,
  ): Promise<Buffer> {
    this.checkStop();
    if (child instanceof ImportedDirectory) {
      stats.directories += 1;
      return this.encoder.encode({ ...this.directoryEntry(name, child), content: await this.build(child, stats) });
    }
    const encoded = this.tree.encode(name, child);
    const { kind, size } = decodeEntry(encoded);
    if (kind === ENTRY_KIND.file) stats.files += 1;
    else stats.others += 1;
    stats.bytes += size;
    return encoded;
  }

  /** What the member of a directory said; of one that has none, what a new directory would be. */
  private directoryEntry(name: string, { entry }: ImportedDirectory): TreeEntry {
    const { startNs, users } = this;
    const { uid, gid } = processOwner();
    const made = { mode: 0o755, uid, gid, user: users.userName(uid) ?? null, group: users.groupName(gid) ?? null };
    return { ...NOTHING, ...made, mtimeNs: startNs, ctimeNs: startNs, ...entry, kind: ENTRY_KIND.directory, name };
  }

  private allStats(stats: MutableStats): ArchiveStats {
    const { newBytes, storedBytes, chunks, newChunks } = this.storing.crew.counts;
    return { ...stats, newBytes, storedBytes, chunks, newChunks };
  }

  private async commit(root: Buffer, stats: ArchiveStats): Promise<ArchiveRecord> {
    const { access, options, problems, startNs } = this;
    const { uploader, index } = this.storing;
    const { random, clock } = access.environment;
    const series = options.series ?? DEFAULT_SERIES;
    const id = random.bytes(16);
    const descriptor = {
      id,
      series,
      name: archiveName(series, startNs),
      host: options.host ?? hostname(),
      user: options.user ?? '',
      startNs,
      endNs: clock.nowNs(),
      // No path of this or another machine: what the stream leaves out is not known.
      paths: [],
      root,
      stats,
      warnings: [...problems.counts],
      chunkerData: access.config.chunkerData,
      chunkerTree: access.config.chunkerTree,
      parent: null,
      complete: !problems.incomplete,
      program: options.program ?? 'cairn',
      tags: options.tags ?? [],
      comment: options.comment ?? '',
    };
    const archive = (await commitArchive(access, descriptor, uploader, index.usedPacks()))
      ? access.log.state.archives.get(toHex(id))
      : undefined;
    if (archive !== undefined) return archive;
    throw new CairnError('PLAN_STALE', 'packs that this import relies on were removed while it ran', {
      hint: 'Import it again; what was stored is found again.',
    });
  }

  private checkStop(): void {
    if (this.failure !== undefined) throw this.failure.error;
    if (this.runOptions.signal?.aborted === true) {
      throw new CairnError('CANCELLED', 'the import was stopped before it was complete');
    }
  }
}
