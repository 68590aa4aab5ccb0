import type { StatsReport } from '@cairn/core';

import { withRepository } from '../open-repository.ts';
import { archiveText } from '../output/archive-text.ts';
import { counted, formatBytes, formatCount } from '../output/format.ts';
import { usageJson } from '../output/json-reports.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';
import { formatFacts, formatTable } from '../output/table.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly ifDeleted?: readonly string[];
  readonly growth?: boolean;
}

export const stats: Verb = {
  define(command) {
    command
      .description(
        'Show what the repository holds, and for each archive what deleting it alone would free: what no other ' +
          'live archive needs. Reads directories, no files; a maintain key is enough.',
      )
      .option('--if-deleted <archive...>', 'instead, what deleting these together would free')
      .option('--growth', 'instead, what each series added, month by month')
      .addHelpText('after', '\nExample:\n  cairn stats -r /backup/repo --if-deleted web-2026-10-01 web-2026-10-02');
  },

  async run(context, { options }) {
    const { ifDeleted, growth } = options as Options;
    await withRepository(context, async ({ repository }) => {
      const line = new ProgressLine(context.messages);
      const report = await repository
        .stats(ifDeleted === undefined ? {} : { ifDeleted }, {
          signal: context.signal,
          onProgress: (done, total) => line.update(() => ({ bytes: 0, facts: [`archive ${done + 1} of ${total}`] })),
        })
        .finally(() => line.done());
      if (context.json) await context.output.line(JSON.stringify(usageJson(report)));
      else for (const text of textOf(report, growth === true)) await context.output.line(text);
      if (report.missingChunks > 0) {
        context.messages.warn(
          `${counted(report.missingChunks, 'chunk')} that archives need are in no pack: see \`cairn check\``,
        );
      }
    });
  },
};

function textOf(report: StatsReport, growth: boolean): string[] {
  if (growth) return growthLines(report);
  const { ifDeleted, archives = [] } = report;
  if (ifDeleted !== undefined) {
    return [`Deleting these would free ${formatBytes(ifDeleted.storedBytes)}, ${counted(ifDeleted.chunks, 'chunk')}.`];
  }
  const rows = archives.map(({ archive, storedBytes }) => [
    archiveText(archive),
    formatBytes(archive.descriptor.stats.bytes),
    formatBytes(storedBytes),
  ]);
  return [...formatFacts(factsOf(report)), '', ...formatTable([['archive', 'content', 'frees'], ...rows], [1, 2])];
}

function factsOf(report: StatsReport): readonly (readonly [name: string, value: string])[] {
  const { needed, unneeded, packs, unlistedPacks, swept, index, log } = report;
  const objects = ({ count, bytes }: StatsReport['packs'], one: string): string =>
    `${formatBytes(bytes)} in ${counted(count, one, one === 'entry' ? 'entries' : `${one}s`)}`;
  const deleted = report.deletedArchives === 0 ? '' : `, and ${formatCount(report.deletedArchives)} deleted`;
  return [
    ['archives', `${formatCount(report.liveArchives)}${deleted}`],
    ['content', `${formatBytes(report.contentBytes)} added up, ${formatBytes(report.uniqueBytes)} without repetition`],
    ['stored', `${formatBytes(needed.storedBytes)} in ${counted(needed.chunks, 'chunk')}`],
    ...(report.deletedArchives === 0
      ? []
      : [['only for deleted', `${formatBytes(report.deletedBytes)} of it`] as const]),
    ['nobody needs', `${formatBytes(unneeded.storedBytes)} in ${counted(unneeded.chunks, 'chunk')}`],
    ['packs', objects(packs, 'pack')],
    ...(unlistedPacks.count === 0 ? [] : [['not listed', objects(unlistedPacks, 'pack')] as const]),
    ...(swept.count === 0 ? [] : [['given up', objects(swept, 'object')] as const]),
    ['index', objects(index, 'segment')],
    ['log', objects(log, 'entry')],
  ];
}

function growthLines({ growth }: StatsReport): string[] {
  const rows = growth.flatMap(({ series, months }) =>
    months.map(({ month, archives, addedBytes, contentBytes }) => [
      safeText(series),
      month,
      formatCount(archives),
      formatBytes(addedBytes),
      formatBytes(contentBytes),
    ]),
  );
  return formatTable([['series', 'month', 'archives', 'added', 'content'], ...rows], [2, 3, 4]);
}
