import { CairnError, EXIT_INCOMPLETE, type ImportTarReport } from '@cairn/core';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { count, several } from '../option-values.ts';
import { counted, formatBytes, formatDuration } from '../output/format.ts';
import { importTarJson } from '../output/json-reports.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';
import { formatFacts } from '../output/table.ts';
import { PROGRAM } from '../version.ts';
import type { Verb } from '../verb.ts';

interface TarImportOptions {
  readonly series?: string;
  readonly tag?: readonly string[];
  readonly comment?: string;
  readonly host?: string;
  readonly compression?: number;
}

export const tarImport: Verb = {
  define(command) {
    command
      .description(
        'Make an archive of a tar file: ustar, pax and GNU formats, with all attributes. All of it becomes the archive, or ' +
          'nothing does.',
      )
      .argument('<file>', 'an uncompressed tar file, or - for standard input')
      .option('--series <name>', 'series of the archive; tar when not given')
      .option('--tag <text>', 'tag of the archive; may be repeated', several)
      .option('--comment <text>', 'comment of the archive')
      .option('--host <name>', 'name of the host, when it is another than this one')
      .option('--compression <level>', 'zstd level, 1 to 22; 3 when not given', count(1, 22))
      .addHelpText('after', '\nExample:\n  cairn tar import -r /backup/repo --series old old.tar');
  },

  async run(context, { operands, options }) {
    const [file = ''] = operands;
    const { series, tag, comment, host, compression } = options as TarImportOptions;
    const pieces = file === '-' ? process.stdin : await openTar(file);
    return await withRepository(context, async ({ repository }) => {
      const line = new ProgressLine(context.messages);
      const threads = context.settings.count('threads');
      const request = {
        host: host ?? hostname(),
        program: PROGRAM,
        ...(series === undefined ? {} : { series }),
        ...(tag === undefined ? {} : { tags: tag }),
        ...(comment === undefined ? {} : { comment }),
        ...(compression === undefined ? {} : { compressionLevel: compression }),
        ...(threads === undefined ? {} : { threads }),
      };
      const report = await repository
        .importTar(pieces, request, {
          signal: context.signal,
          onProblem: ({ kind, message }) => context.messages.write(`${kind}: ${message}`),
          onProgress: ({ members, bytes }) =>
            line.update(() => ({
              bytes,
              totalBytes: undefined,
              facts: [counted(members, 'member'), formatBytes(bytes)],
            })),
        })
        .finally(() => line.done());
      await print(context, report);
      return report.archive.descriptor.complete ? 0 : EXIT_INCOMPLETE;
    });
  },
};

/** Opened at once, so that a wrong name is told before anything else happens. */
async function openTar(file: string): Promise<AsyncIterable<Uint8Array>> {
  try {
    const handle = await open(file);
    return createReadStream('', { fd: handle, highWaterMark: 1024 * 1024 });
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read ${file}: ${(cause as Error).message}`, {
      hint: 'Check the path.',
      cause,
    });
  }
}

async function print({ json, output }: Context, report: ImportTarReport): Promise<void> {
  if (json) {
    await output.line(JSON.stringify(importTarJson(report)));
    return;
  }
  const { archive, stats, problemCounts, durationMs } = report;
  await output.line(`Archive ${safeText(archive.name)}, id ${archive.id.slice(0, 8)}.`);
  const facts: (readonly [string, string])[] = [
    [
      'holds',
      `${counted(stats.files, 'file')}, ${counted(stats.directories, 'directory', 'directories')}, ${formatBytes(stats.bytes)}`,
    ],
    ['new', `${formatBytes(stats.newBytes)}, ${formatBytes(stats.storedBytes)} stored`],
  ];
  for (const [kind, times] of problemCounts) facts.push([kind, counted(times, 'time')]);
  facts.push(['took', formatDuration(durationMs)]);
  for (const text of formatFacts(facts)) await output.line(text);
}
