import { CairnError, type SelectionOptions } from '@cairn/core';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';

import type { Context } from './context.ts';
import { several } from './option-values.ts';
import { parseSize } from './output/format.ts';

/** The options that say what a backup leaves out; `backup` and `explain` share them. */
export function addSelectionOptions(command: Command): void {
  command
    .option('-e, --exclude <pattern>', 'leave out what matches; may be repeated', several)
    .option('--exclude-from <file>', 'leave out what matches a pattern in a file; may be repeated', several)
    .option('--preset <name>', 'leave out what a preset names; may be repeated', several)
    .option('--exclude-caches', 'leave out what is in directories tagged as caches')
    .option('--exclude-if-present <name>', 'leave out what is in directories that hold this name', several)
    .option('--exclude-nodump', 'leave out what has the nodump flag')
    .option('--exclude-larger-than <size>', 'leave out files larger than this, as in 500M or 2G')
    .option('--one-file-system', 'leave out what is on other file systems');
}

/** What the settings leave out. Rejects with `USAGE` for a size that is none or a file that cannot be read. */
export async function selectionOf({ settings }: Pick<Context, 'settings'>): Promise<SelectionOptions> {
  const larger = settings.text('backup.exclude-larger-than');
  const limit = larger === undefined ? undefined : parseSize(larger);
  if (larger !== undefined && limit === undefined) {
    throw new CairnError('USAGE', `${JSON.stringify(larger)} is no size to exclude files by`, {
      hint: 'Write bytes, or a number with K, M, G or T behind it.',
    });
  }
  const cache = settings.text('cache-directory');
  return {
    excludes: settings.list('backup.excludes'),
    presets: settings.list('backup.presets'),
    excludeFiles: await Promise.all(settings.list('backup.exclude-from').map(readExcludeFile)),
    excludeCaches: settings.flag('backup.exclude-caches'),
    excludeIfPresent: settings.list('backup.exclude-if-present'),
    excludeNodump: settings.flag('backup.exclude-nodump'),
    oneFileSystem: settings.flag('backup.one-file-system'),
    ...(limit === undefined ? {} : { excludeLargerThan: limit }),
    ...(cache === undefined ? {} : { storePaths: [resolve(cache)] }),
  };
}

async function readExcludeFile(name: string): Promise<{ readonly name: string; readonly content: Uint8Array }> {
  try {
    return { name, content: await readFile(name) };
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read the exclude file ${name}`, { hint: 'Check the path.', cause });
  }
}
