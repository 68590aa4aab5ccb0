import { CairnError, fromUtf8, type ArchiveView } from '@cairn/core';

import { withErrors, type DumpTool } from './dump-tool.ts';
import { dumpDirectory, type DumpDefinition } from './dump-schema.ts';
import type { DumpManifest, ManifestFile } from './manifest.ts';
import type { Program } from './programs.ts';

/** What of a dump is to go back, and where to. */
export interface RestoreDumpRequest {
  /** Only these databases, without the accounts; all that the archive has unless given. */
  readonly databases?: readonly string[];
  /** Another name for the one database that is restored. For SQLite a path; for OpenLDAP a configuration directory. */
  readonly into?: string;
  /** Users, roles and grants, too. Default: true when no databases are named and `into` is not given. */
  readonly accounts?: boolean;
  /** What stands there may be replaced. */
  readonly overwrite?: boolean;
}

/** One file of a dump on its way back. */
export interface RestoreStep {
  /** What is restored, and where to, in words. */
  readonly what: string;
  /** The file in the archive. */
  readonly path: string;
  readonly bytes: number;
  /** What stands in the way, which only `overwrite` replaces. */
  readonly standing?: string;
  /** What may be there when it breaks off. */
  readonly half: string;
  /** Rejects with `TARGET_FAILED`, `CANCELLED`, or as the archive does. */
  apply(): Promise<void>;
}

/** What a plan is made of. */
export interface RestoreSetup<Definition extends DumpDefinition = DumpDefinition> {
  readonly definition: Definition;
  readonly request: RestoreDumpRequest;
  readonly manifest: DumpManifest;
  readonly view: ArchiveView;
}

/** The path of a file of the dump in the archive. */
export function archivePath(
  { definition }: Pick<RestoreSetup, 'definition'>,
  file: Pick<ManifestFile, 'path'>,
): string {
  return `${dumpDirectory(definition)}/${file.path}`;
}

/** The bytes of a file of the dump. */
export function bytesOfFile(
  setup: Pick<RestoreSetup, 'definition' | 'view'>,
  file: ManifestFile,
): AsyncIterable<Uint8Array> {
  return setup.view.read(fromUtf8(archivePath(setup, file)));
}

/**
 * The files with databases that were asked for. Rejects with `PATH_MISSING` for a database that the dump has not, with `USAGE` when
 * `into` is to take more than one.
 */
export function wantedFiles({ request, manifest, view }: RestoreSetup): readonly ManifestFile[] {
  const files = manifest.files.filter(({ part }) => part === 'database' || part === 'file');
  const { databases, into } = request;
  const wanted = databases === undefined ? files : databases.map((name) => fileOfDatabase(files, name, view));
  if (into !== undefined && wanted.length !== 1) {
    throw new CairnError('USAGE', `one database goes into ${into}, and these are ${wanted.length}`, {
      hint: 'Name the one by --database.',
    });
  }
  return wanted;
}

function fileOfDatabase(files: readonly ManifestFile[], name: string, view: ArchiveView): ManifestFile {
  const file = files.find(({ databases }) => databases.includes(name));
  if (file !== undefined) return file;
  const has = files.flatMap(({ databases }) => databases);
  throw new CairnError('PATH_MISSING', `the dump in ${view.archive.name} has no database ${name}`, {
    hint:
      has.length === 0
        ? 'It has none at all.'
        : `It has ${has.slice(0, 20).join(', ')}${has.length > 20 ? ', …' : ''}.`,
  });
}

/** True when accounts are to be restored, too. */
export function wantsAccounts({ databases, into, accounts }: RestoreDumpRequest): boolean {
  return accounts ?? (databases === undefined && into === undefined);
}

/** Lets a program take a dump back. Rejects with `TARGET_FAILED` and its words unless it ends with status 0 and took all. */
export async function give(
  tool: DumpTool,
  program: Program,
  args: readonly string[],
  input?: AsyncIterable<Uint8Array>,
): Promise<void> {
  const end = await tool.run(program, args, input === undefined ? {} : { input });
  if (!end.ok) throw new CairnError('TARGET_FAILED', withErrors(end.how, end.errors));
}
