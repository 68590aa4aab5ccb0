import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { MemoryStore, Repository, systemEnvironment, type ArchiveView, type BackupReport } from '@cairn/core';

import {
  applyDumpRestore,
  dumpSchema,
  planDumpRestore,
  prepareDump,
  type DumpContext,
  type DumpDefinition,
  type RestoreDumpReport,
  type RestoreDumpRequest,
} from '../../dist/index.js';

/** What a job file would have of one dump. */
export type DumpInput = Readonly<Record<string, unknown>> & { readonly kind: DumpDefinition['kind'] };

/** A dump in an archive. */
export interface Dumped {
  readonly report: BackupReport;
  readonly view: ArchiveView;
  readonly definition: DumpDefinition;
}

/** A repository in memory, and a directory with files of a test. */
export class DumpPlace {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'cairn-dumps-')));
  readonly warnings: string[] = [];
  readonly repository: Repository;
  readonly stop = new AbortController();

  private constructor(repository: Repository) {
    this.repository = repository;
  }

  static async create(): Promise<DumpPlace> {
    const { repository } = await Repository.create(new MemoryStore(systemEnvironment.clock));
    return new DumpPlace(repository);
  }

  context(variables: Readonly<Record<string, string>> = {}): DumpContext {
    mkdirSync(this.path('home'), { recursive: true });
    const { PATH = '' } = process.env;
    return {
      environment: systemEnvironment,
      variables: { PATH, HOME: this.path('home'), ...variables },
      signal: this.stop.signal,
      temporaryDirectory: this.directory,
      onWarning: (text) => void this.warnings.push(text),
    };
  }

  path(...names: readonly string[]): string {
    return join(this.directory, ...names);
  }

  /** Writes a file for its owner only. */
  file(name: string, content: string | Uint8Array, mode = 0o600): string {
    writeFileSync(this.path(name), content, { mode });
    return this.path(name);
  }

  /** Dumps into a new archive. Rejects as the backup does. */
  async dump(input: DumpInput, context = this.context()): Promise<Dumped> {
    const definition = dumpSchema.parse(input);
    const { contents } = await prepareDump(definition, context);
    const report = await this.repository.backup({
      paths: [],
      threads: 0,
      contents: contents.map(({ source }) => ({ ...source, path: Buffer.from(source.path, 'latin1') })),
    });
    return { report, definition, view: await this.repository.view(report.archive) };
  }

  async restore(
    dumped: Dumped,
    request: RestoreDumpRequest = {},
    context = this.context(),
  ): Promise<RestoreDumpReport> {
    const steps = await planDumpRestore(dumped.definition, dumped.view, request, context);
    return await applyDumpRestore(steps, request);
  }

  /** As `restore`, for those that must go well. */
  async restoreAll(dumped: Dumped, request: RestoreDumpRequest = {}): Promise<void> {
    const { failure } = await this.restore(dumped, request);
    if (failure !== undefined) throw failure;
  }

  /** The paths of all files of a dump. */
  async paths({ view }: Dumped): Promise<string[]> {
    const paths: string[] = [];
    for await (const { path, entry } of view.walk('/dumps')) {
      if (entry.kind === 1) paths.push(Buffer.from(path, 'latin1').toString('utf8'));
    }
    return paths;
  }

  async content({ view }: Pick<Dumped, 'view'>, path: string): Promise<Buffer> {
    const pieces: Uint8Array[] = [];
    for await (const piece of view.read(Buffer.from(path).toString('latin1'))) pieces.push(Uint8Array.from(piece));
    return Buffer.concat(pieces);
  }

  async remove(): Promise<void> {
    await this.repository.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
