import { CairnError, type ArchiveRecord, type Removed, type Repository, type RewrittenArchive } from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { several } from '../option-values.ts';
import { archiveText } from '../output/archive-text.ts';
import { counted, formatBytes } from '../output/format.ts';
import { JsonArray } from '../output/json-array.ts';
import { rewrittenJson } from '../output/json-reports.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { whoDecides } from '../user-name.ts';
import type { Verb } from '../verb.ts';
import { PROGRAM } from '../version.ts';

interface Options {
  readonly exclude?: readonly string[];
  readonly series?: string;
  readonly deleteOriginals?: boolean;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

export const rewrite: Verb = {
  define(command) {
    command
      .description(
        'Take paths out of archives: for each that has them, make a new one without. No file is read. The ' +
          'originals stay unless they are to be deleted, and then they can be brought back like any other. ' +
          'Needs a key that reads and writes: the root key.',
      )
      .argument('[archive...]', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .option('-e, --exclude <pattern>', 'leave out what matches; may be repeated', several)
      .option('--series <name>', 'all archives of this series')
      .option('--delete-originals', 'delete the archives that new ones are made of')
      .option('-n, --dry-run', 'tell what would be left out, and change nothing')
      .option('--reason <text>', 'why, for who reads `cairn log`, beside who you are')
      .addHelpText(
        'after',
        '\nExample:\n  cairn rewrite -r /backup/repo --series web --exclude /root/secret --dry-run',
      );
  },

  async run(context, { operands, options }) {
    const { exclude = [], series, deleteOriginals = false, dryRun = false, reason } = options as Options;
    if (exclude.length === 0) {
      throw new CairnError('USAGE', 'nothing to leave out is given', { hint: 'Use --exclude.' });
    }
    await withRepository(context, async ({ repository }) => {
      const archives = chosen(repository, operands, series);
      const because = { reason: reason === undefined ? 'rewritten' : `rewritten: ${reason}`, by: whoDecides() };
      const line = new ProgressLine(context.messages);
      const onProgress = (done: number, total: number): void =>
        line.update(() => ({ bytes: 0, facts: [`archive ${done + 1} of ${total}`] }));
      const request = { archives, exclude, deleteOriginals, dryRun, program: PROGRAM, onProgress, ...because };
      const rewritten = await repository.rewrite(request, context.signal).finally(() => line.done());
      if (context.json) await printJson(context, rewritten);
      else await print(context, rewritten, archives.length, dryRun);
    });
  },
};

function chosen(repository: Repository, refs: readonly string[], series: string | undefined): readonly ArchiveRecord[] {
  if ((refs.length === 0) === (series === undefined)) {
    throw new CairnError('USAGE', 'archives to rewrite must be given one way', {
      hint: 'Name archives, or a series with --series.',
    });
  }
  if (series === undefined) return refs.map((ref) => repository.archive(ref));
  const archives = repository.archives({ series });
  if (archives.length > 0) return archives;
  throw new CairnError('ARCHIVE_MISSING', `there is no archive of the series ${JSON.stringify(series)}`, {
    hint: 'See what there is with `cairn list`.',
  });
}

async function printJson({ output }: Context, rewritten: readonly RewrittenArchive[]): Promise<void> {
  const array = new JsonArray(output);
  for (const one of rewritten) await array.add(rewrittenJson(one));
  await array.end();
}

async function print(
  { output, messages }: Context,
  rewritten: readonly RewrittenArchive[],
  looked: number,
  dryRun: boolean,
): Promise<void> {
  for (const { original, archive, removed } of rewritten) {
    if (archive === undefined && !dryRun) messages.info(`${archiveText(original)} was deleted meanwhile.`);
    else await output.line(`${archiveText(original)} ${dryRun ? 'would be' : 'is'} rewritten ${without(removed)}`);
    if (archive === undefined) continue;
    await output.line(`  as ${archiveText(archive)}${original.state === 'live' ? '' : '; the original is deleted'}`);
  }
  const untouched = looked - rewritten.length;
  if (untouched > 0) messages.info(`${counted(untouched, 'archive')} had nothing to leave out.`);
}

function without({ files, directories, others, bytes }: Removed): string {
  const parts = [
    counted(files, 'file'),
    ...(directories === 0 ? [] : [counted(directories, 'directory', 'directories')]),
    ...(others === 0 ? [] : [counted(others, 'other entry', 'other entries')]),
  ];
  return `without ${parts.join(', ')} (${formatBytes(bytes)})`;
}
