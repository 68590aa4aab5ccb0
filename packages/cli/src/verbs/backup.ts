import {
  CairnError,
  displayName,
  EXIT_INCOMPLETE,
  resolveSource,
  type BackupReport,
  type BackupRequest,
  type Excluded,
  type Repository,
} from '@cairn/core';
import { hostname } from 'node:os';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { several, count } from '../option-values.ts';
import { backupText } from '../output/backup-text.ts';
import { counted, formatBytes } from '../output/format.ts';
import { backupJson } from '../output/json-reports.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';
import { contentsOf, pathsBeside, type ContentOptions } from '../contents.ts';
import { addSelectionOptions, selectionOf } from '../selection.ts';
import { sourcesOf } from '../sources.ts';
import { userName } from '../user-name.ts';
import { PROGRAM } from '../version.ts';
import type { Verb } from '../verb.ts';

interface BackupOptions {
  readonly host?: string;
  readonly comment?: string;
  readonly dryRun?: boolean;
  readonly reread?: boolean;
  readonly list?: boolean;
}

/** A week: what takes longer is stuck. */
const MOST_SECONDS = 604_800;

/** zstd's own levels; higher ones need memory that grows with them. */
const MOST_COMPRESSION = 22;

export const backup: Verb = {
  define(command) {
    command
      .description(
        'Back up files and directories as a new archive. Exits with 3 when something could not be read; ' +
          'the rest is stored.',
      )
      .argument(
        '[path...]',
        'files and directories, or - for standard input; those of the configuration when none is given',
      )
      .option('--series <name>', 'series of the archive; the name of this host when not given')
      .option('--tag <text>', 'tag of the archive; may be repeated', several)
      .option('--comment <text>', 'comment of the archive')
      .option('--host <name>', 'name of the host, when it is another than this one')
      .option('--compression <level>', 'zstd level, 1 to 22; 3 when not given', count(1, MOST_COMPRESSION))
      .option('--stdin-name <name>', 'path in the archive of what - reads; stdin when not given')
      .option('--content-from-command', 'store what a command prints: the operands are the command')
      .option('--content-name <name>', 'path in the archive of what the command prints')
      .option(
        '--command-timeout <seconds>',
        'end a command that takes longer; it counts as failed',
        count(1, MOST_SECONDS),
      )
      .option('--reread', 'read every file, also those that look unchanged')
      .option('-n, --dry-run', 'look and count, store nothing')
      .option('--list', 'print each thing that is left out on the way, with the reason');
    addSelectionOptions(command);
    command.addHelpText('after', '\nExample:\n  cairn backup -r /backup/repo --exclude "*.iso" /etc /home');
  },

  async run(context, { operands, options }) {
    const contents = contentsOf(operands, options as ContentOptions);
    const sources =
      contents.length > 0 ? pathsBeside(operands, options as ContentOptions) : sourcesOf(context, operands);
    const select = await selectionOf(context);
    return await withRepository(context, async ({ repository }) => {
      const request = { ...requestOf(context, options as BackupOptions), paths: sources, contents, select };
      const report = await runBackup(context, repository, request, options as BackupOptions);
      tellWhatIsWrong(context, report);
      await print(context, report, options as BackupOptions);
      return report.archive.descriptor.complete ? 0 : EXIT_INCOMPLETE;
    });
  },
};

function requestOf(
  { settings }: Context,
  options: BackupOptions,
): Omit<BackupRequest, 'paths' | 'contents' | 'select'> {
  const series = settings.text('backup.series');
  const compressionLevel = settings.count('backup.compression');
  if (compressionLevel !== undefined && (compressionLevel < 1 || compressionLevel > MOST_COMPRESSION)) {
    throw new CairnError('USAGE', `the compression level ${compressionLevel} is not from 1 to ${MOST_COMPRESSION}`);
  }
  const threads = settings.count('threads');
  return {
    host: options.host ?? hostname(),
    user: userName(),
    program: PROGRAM,
    tags: settings.list('backup.tags'),
    ...(series === undefined ? {} : { series }),
    ...(options.comment === undefined ? {} : { comment: options.comment }),
    ...(compressionLevel === undefined ? {} : { compressionLevel }),
    ...(threads === undefined ? {} : { threads }),
    ...(options.reread === true ? { rereadAll: true } : {}),
    ...(options.dryRun === true ? { dryRun: true } : {}),
  };
}

async function runBackup(
  context: Context,
  repository: Repository,
  request: BackupRequest,
  options: BackupOptions,
): Promise<BackupReport> {
  const { messages, signal } = context;
  const line = new ProgressLine(messages);
  const expected = context.messages.showsProgress ? expectedBytes(repository, request) : undefined;
  try {
    return await repository.backup(request, {
      signal,
      onProblem: ({ kind, message }) => messages.write(`${kind}: ${message}`),
      onExcluded: (excluded) => tellExcluded(context, excluded, options.list === true),
      onProgress: ({ files, bytes, newBytes, storedBytes, problems }) =>
        line.update(() => ({
          bytes,
          totalBytes: expected,
          facts: [
            counted(files, 'file'),
            formatBytes(bytes),
            `${formatBytes(newBytes)} new, ${formatBytes(storedBytes)} stored`,
            ...(problems === 0 ? [] : [counted(problems, 'problem')]),
          ],
        })),
    });
  } finally {
    line.done();
  }
}

/** About as many bytes as the last archive of the same paths had. */
function expectedBytes(repository: Repository, { series, host, paths }: BackupRequest): number | undefined {
  const wanted = series ?? host;
  const newest = repository.archives(wanted === undefined ? {} : { series: wanted }).at(-1);
  const before = newest?.descriptor.paths.map((path) => Buffer.from(path).toString('latin1')) ?? [];
  return before.join('\0') === paths.map(resolveSource).join('\0') ? newest?.descriptor.stats.bytes : undefined;
}

/** A skipped mount is always told: people forget that they exclude whole file systems. */
function tellExcluded({ messages }: Context, { path, decision }: Excluded, all: boolean): void {
  const { reason } = decision;
  if (!all && reason.kind !== 'mount' && reason.kind !== 'store') return;
  const text = `excluded: ${displayName(path)}: ${reason.text}`;
  if (all) messages.write(text);
  else messages.info(text);
}

/** What is wrong although the archive is made. */
function tellWhatIsWrong({ messages }: Context, { cacheFailure, parent, parentDamage }: BackupReport): void {
  if (cacheFailure !== undefined) messages.warn(safeText(`${cacheFailure.message}. ${cacheFailure.hint ?? ''}`.trim()));
  if (parentDamage === undefined) return;
  messages.warn(
    safeText(
      `a part of ${parent} cannot be read: ${parentDamage.message}. \`cairn check\` tells whether the new archive lacks it, too.`,
    ),
  );
}

async function print({ json, output }: Context, report: BackupReport, options: BackupOptions): Promise<void> {
  const dryRun = options.dryRun === true;
  if (json) await output.line(JSON.stringify(backupJson(report, dryRun)));
  else for (const text of backupText(report, dryRun)) await output.line(text);
}
