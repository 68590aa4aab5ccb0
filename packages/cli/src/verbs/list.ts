import { archiveJson } from '@cairn/api/shapes';
import { droppableFromMs, GRACE_DEFAULT_MS, type ArchiveRecord, type ListArchivesOptions } from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { count, several } from '../option-values.ts';
import { counted, formatBytes, formatCount, formatStoreTime, formatTime } from '../output/format.ts';
import { JsonArray } from '../output/json-array.ts';
import { safeText } from '../output/safe-text.ts';
import { formatTable } from '../output/table.ts';
import type { Verb } from '../verb.ts';

interface ListOptions {
  readonly series?: string;
  readonly host?: string;
  readonly tag?: readonly string[];
  readonly last?: number;
  readonly deleted?: boolean;
}

export const list: Verb = {
  define(command) {
    command
      .description('List archives, the oldest first.')
      .option('--series <name>', 'archives of this series only')
      .option('--host <name>', 'archives of this host only')
      .option('--tag <text>', 'archives with this tag only; may be repeated', several)
      .option('--last <number>', 'only so many of the newest', count(1, 1_000_000))
      .option('--deleted', 'also archives that were deleted and can be brought back')
      .addHelpText('after', '\nExample:\n  cairn list -r /backup/repo --last 7');
  },

  async run(context, { options }) {
    await withRepository(context, async ({ repository }) => {
      const archives = repository.archives(filterOf(options as ListOptions));
      await (context.json ? printJson(context, archives) : printTable(context, archives));
    });
  },
};

function filterOf({ series, host, tag, last, deleted }: ListOptions): ListArchivesOptions {
  return {
    ...(series === undefined ? {} : { series }),
    ...(host === undefined ? {} : { host }),
    ...(tag === undefined ? {} : { tags: tag }),
    ...(last === undefined ? {} : { last }),
    ...(deleted === undefined ? {} : { deleted }),
  };
}

async function printJson({ output }: Context, archives: readonly ArchiveRecord[]): Promise<void> {
  const array = new JsonArray(output);
  for (const archive of archives) await array.add(archiveJson(archive));
  await array.end();
}

async function printTable({ output, messages }: Context, archives: readonly ArchiveRecord[]): Promise<void> {
  const rows = archives.map((archive) => {
    const { descriptor, tags } = archive;
    const { files, bytes, storedBytes } = descriptor.stats;
    const notes = [
      ...deletedNote(archive),
      ...(descriptor.complete ? [] : ['incomplete']),
      ...(archive.protect ? ['protected'] : []),
      ...tags.map((tag) => `#${safeText(tag)}`),
    ];
    return [
      safeText(archive.name),
      archive.id.slice(0, 8),
      formatTime(descriptor.startNs),
      formatCount(files),
      formatBytes(bytes),
      formatBytes(storedBytes),
      notes.join(' '),
    ];
  });
  const head = ['archive', 'id', 'started', 'files', 'size', 'added', ''];
  for (const line of formatTable([head, ...rows], [3, 4, 5])) await output.line(line);
  if (archives.length === 0) messages.info('There is no archive, or none of that kind.');
  messages.detail(counted(archives.length, 'archive'));
}

/** From when compact may drop an archive that is deleted. */
function deletedNote(archive: ArchiveRecord): string[] {
  if (archive.state !== 'deleted') return [];
  const droppableMs = droppableFromMs(archive, GRACE_DEFAULT_MS);
  return [droppableMs === undefined ? 'deleted' : `deleted, kept until ${formatStoreTime(droppableMs)}`];
}
