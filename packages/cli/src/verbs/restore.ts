import {
  CairnError,
  displayName,
  EXIT_INCOMPLETE,
  pathMatcher,
  type RestoreReport,
  type RestoreRequest,
} from '@cairn/core';
import { resolve } from 'node:path';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { count, several } from '../option-values.ts';
import { counted, formatBytes, formatDuration } from '../output/format.ts';
import { restoreJson } from '../output/json-reports.ts';
import type { Messages } from '../output/messages.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';
import { formatFacts } from '../output/table.ts';
import { pathArgument } from '../path-argument.ts';
import type { Verb } from '../verb.ts';

interface RestoreOptions {
  readonly to?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly stripComponents?: number;
  readonly numericOwner?: boolean;
  readonly privileged?: boolean;
  readonly sparse?: boolean;
  readonly intoNonEmpty?: boolean;
  readonly dryRun?: boolean;
}

/** Problems of one kind that are told one by one. */
const TOLD_PROBLEMS = 10;

/** What was left out on purpose, in words. */
const NOT_RESTORED: Readonly<Record<string, string>> = {
  device: 'devices',
  setuid: 'setuid and setgid bits',
  xattr: 'attributes of the system',
  immutable: 'immutable and append-only flags',
};

export const restore: Verb = {
  define(command) {
    command
      .description(
        'Restore an archive, or parts of it, into a directory. Exits with 3 when something could not be ' +
          'restored as it was.',
      )
      .argument('<archive>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .argument('[path...]', 'paths in the archive, each with everything below it; everything when none is given')
      .requiredOption('--to <directory>', 'where to: a new or empty directory')
      .option('--into-non-empty', 'the directory may have content; nothing that is there is replaced')
      .option('-i, --include <pattern>', 'only what matches; may be repeated', several)
      .option('-e, --exclude <pattern>', 'leave out what matches; may be repeated', several)
      .option('--strip-components <number>', 'take so many names off the beginning of each path', count(0, 4096))
      .option('--numeric-owner', 'owners by number, even where this machine knows their names')
      .option('--privileged', 'also devices, setuid bits, system attributes and flags; for root only')
      .option('--no-sparse', 'write holes as zeros')
      .option('-n, --dry-run', 'count, write nothing')
      .addHelpText('after', '\nExample:\n  cairn restore -r /backup/repo latest --to /tmp/restored /etc /home/ada');
  },

  async run(context, { operands, options }) {
    const [ref = '', ...paths] = operands;
    const { to, dryRun, ...rest } = options as RestoreOptions;
    if (to === undefined) throw new CairnError('USAGE', 'a restore needs --to DIRECTORY');
    const target = resolve(to);
    return await withRepository(context, async ({ repository }) => {
      const archive = repository.archive(ref);
      const request = requestOf(context, rest, paths, dryRun === true);
      const startMs = performance.now();
      const line = new ProgressLine(context.messages);
      const whole = paths.length === 0 && rest.include === undefined && rest.exclude === undefined;
      const report = await repository
        .restore(archive, target, request, {
          signal: context.signal,
          onProgress: ({ files, bytes }) =>
            line.update(() => ({
              bytes,
              totalBytes: whole ? archive.descriptor.stats.bytes : undefined,
              facts: [counted(files, 'file'), formatBytes(bytes)],
            })),
        })
        .finally(() => line.done());
      if (context.json) {
        await context.output.line(JSON.stringify(restoreJson(report, archive.name, target, dryRun === true)));
      } else await print(context, report, archive.name, target, performance.now() - startMs, dryRun === true);
      return Object.keys(report.problemCounts).length === 0 ? 0 : EXIT_INCOMPLETE;
    });
  },
};

function requestOf(
  { settings }: Context,
  options: Omit<RestoreOptions, 'to' | 'dryRun'>,
  paths: readonly string[],
  dryRun: boolean,
): RestoreRequest {
  const { include, exclude, stripComponents, numericOwner, privileged, sparse, intoNonEmpty } = options;
  const threads = settings.count('threads');
  return {
    ...(paths.length === 0 ? {} : { paths: paths.map(pathArgument) }),
    ...(include === undefined ? {} : { include: pathMatcher(include) }),
    ...(exclude === undefined ? {} : { exclude: pathMatcher(exclude) }),
    ...(stripComponents === undefined ? {} : { stripComponents }),
    ...(threads === undefined ? {} : { threads }),
    ...(numericOwner === undefined ? {} : { numericOwner }),
    ...(privileged === undefined ? {} : { privileged }),
    ...(sparse === undefined ? {} : { sparse }),
    ...(intoNonEmpty === undefined ? {} : { intoNonEmpty }),
    dryRun,
  };
}

/** The first problems of each kind; thousands of the same tell no more. */
function tellProblems(messages: Messages, { problems }: RestoreReport): void {
  const told = new Map<string, number>();
  for (const { kind, message } of problems) {
    const times = (told.get(kind) ?? 0) + 1;
    told.set(kind, times);
    if (times <= TOLD_PROBLEMS || messages.verbose) messages.write(`${kind}: ${message}`);
    else if (times === TOLD_PROBLEMS + 1) messages.write(`${kind}: … and more; --verbose or --json tells them`);
  }
}

async function print(
  { output, messages }: Context,
  report: RestoreReport,
  archive: string,
  target: string,
  ms: number,
  dryRun: boolean,
): Promise<void> {
  tellProblems(messages, report);
  const { files, directories, others, bytes, problemCounts, notRestored } = report;
  const shown = displayName(Buffer.from(target).toString('latin1'));
  await output.line(`${dryRun ? 'Would restore' : 'Restored'} ${safeText(archive)} into ${shown}.`);
  const facts: (readonly [string, string])[] = [
    ['files', `${counted(files, 'file')}, ${formatBytes(bytes)}`],
    [
      'others',
      `${counted(directories, 'directory', 'directories')}, ${counted(others, 'other entry', 'other entries')}`,
    ],
  ];
  for (const [kind, times] of Object.entries(problemCounts)) facts.push([kind, counted(times, 'time')]);
  facts.push(['took', formatDuration(ms)]);
  for (const line of formatFacts(facts)) await output.line(line);
  const left = Object.entries(notRestored).filter(([, times]) => times > 0);
  if (left.length > 0) {
    const what = left.map(([kind, times]) => `${NOT_RESTORED[kind] ?? kind} (${times})`).join(', ');
    messages.info(`Not restored without --privileged: ${what}.`);
  }
}
