import { z } from 'zod';

import { CairnError, fromUtf8, isCairnError, type ArchiveView } from '@cairn/core';

import { wholeText, type DumpFile, type FileWatch } from './dump-file.ts';
import { dumpDirectory, type DumpDefinition } from './dump-schema.ts';

/**
 * What an archive has of a dump. It stands beside its files, under a name that comes after theirs: contents are read in the
 * order of their paths, so that it tells what was stored and not what was meant to be.
 */
export const MANIFEST = 'manifest.json';

/** Bytes of a manifest: 100,000 databases. */
const MANIFEST_BYTES = 32 * 1024 * 1024;

const fileSchema = z.strictObject({
  path: z.string(),
  part: z.enum(['databases', 'database', 'accounts', 'config', 'file', 'output']),
  databases: z.array(z.string()),
  facts: z.record(z.string(), z.string()),
  bytes: z.number(),
});

const manifestSchema = z.strictObject({
  format: z.literal(1),
  kind: z.string(),
  dump: z.string(),
  /** The program that made it, and its version. */
  program: z.string(),
  files: z.array(fileSchema),
});

export type DumpManifest = z.infer<typeof manifestSchema>;
export type ManifestFile = z.infer<typeof fileSchema>;

/** Gathers the files of a dump that were read to their end. */
export class ManifestWriter implements FileWatch {
  private readonly head: Omit<DumpManifest, 'files'>;
  private readonly files = new Map<string, ManifestFile>();

  constructor(dump: { readonly kind: string; readonly name: string; readonly program: string }) {
    this.head = { format: 1, kind: dump.kind, dump: dump.name, program: dump.program };
  }

  begun({ path }: DumpFile): void {
    this.files.delete(path);
  }

  done({ path, part, databases, facts = {} }: DumpFile, bytes: number): void {
    this.files.set(path, { path, part, databases: [...databases], facts, bytes });
  }

  /** The manifest of what was stored; fails when nothing was. */
  async *open(): AsyncGenerator<Uint8Array> {
    if (this.files.size === 0) throw new Error('no part of the dump was stored');
    yield Buffer.from(`${JSON.stringify({ ...this.head, files: [...this.files.values()] }, undefined, 1)}\n`);
  }
}

/**
 * What an archive has of a dump. Rejects with `PATH_MISSING` when it has none of it, with `CORRUPT` when the manifest is none, and as
 * the archive does.
 */
export async function readManifest(view: ArchiveView, dump: DumpDefinition): Promise<DumpManifest> {
  const path = `${dumpDirectory(dump)}/${MANIFEST}`;
  try {
    const text = await wholeText(view.read(fromUtf8(path)), MANIFEST_BYTES);
    return manifestSchema.parse(JSON.parse(text));
  } catch (error) {
    if (isCairnError(error, 'PATH_MISSING')) {
      throw new CairnError('PATH_MISSING', `${view.archive.name} has nothing of this dump: there is no ${path}`, {
        hint: 'Either the dump failed in that run, or the archive is of another job. `cairn ls ARCHIVE /dumps` shows what it has.',
        cause: error,
      });
    }
    if (isCairnError(error)) throw error;
    throw new CairnError('CORRUPT', `${path} in ${view.archive.name} is no manifest of a dump: ${String(error)}`, {
      hint: 'The dump itself may be good: print it by `cairn cat`.',
      cause: error,
    });
  }
}
