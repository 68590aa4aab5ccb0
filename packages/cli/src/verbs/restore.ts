import {
  CairnError,
  displayName,
  EXIT_INCOMPLETE,
  OVERWRITES,
  pathMatcher,
  type Overwrite,
  type RestoreAction,
  type RestoreReport,
  type RestoreRequest,
} from '@cairn/core';
import { Option } from 'commander';
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
import { configHome } from '../settings/resolve.ts';
import type { Verb } from '../verb.ts';

interface RestoreOptions {
  readonly to?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly stripComponents?: number;
  readonly numericOwner?: boolean;
  readonly privileged?: boolean;
  readonly sparse?: boolean;
  readonly withHoles?: boolean;
  readonly intoNonEmpty?: boolean;
  readonly inPlace?: boolean;
  readonly overwrite?: Overwrite;
  readonly delete?: boolean;
  readonly verify?: boolean;
  readonly ignoreSpace?: boolean;
  readonly dryRun?: boolean;
}

/** Actions of a dry run that JSON has. */
const TOLD_ACTIONS = 1_000;

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
      .option('--to <directory>', 'where to: a new or empty directory, unless --in-place; / when that is given alone')
      .option('--into-non-empty', 'the directory may have content; nothing that is there is replaced')
      .option('--in-place', 'make of what is there what the archive says, writing only what differs')
      .addOption(
        new Option('--overwrite <when>', 'with --in-place: what is replaced; different when not given').choices(
          OVERWRITES,
        ),
      )
      .option('--delete', 'with --in-place: remove what restored directories have and the archive has not')
      .option('--verify', 'read back what was written, and compare it')
      .option('--ignore-space', 'begin although the target seems to have too little room')
      .option('-i, --include <pattern>', 'only what matches; may be repeated', several)
      .option('-e, --exclude <pattern>', 'leave out what matches; may be repeated', several)
      .option('--strip-components <number>', 'take so many names off the beginning of each path', count(0, 4096))
      .option('--numeric-owner', 'owners by number, even where this machine knows their names')
      .option('--privileged', 'also devices, setuid bits, system attributes and flags; for root only')
      .option('--no-sparse', 'write holes as zeros')
      .option(
        '--with-holes',
        'make damaged files, too, with zeros in the place of what is lost; otherwise they are left out',
      )
      .option('-n, --dry-run', 'count, write nothing; with --in-place print what would be done')
      .addHelpText('after', '\nExample:\n  cairn restore -r /backup/repo latest --to /tmp/restored /etc /home/ada');
  },

  async run(context, { operands, options }) {
    const [ref = '', ...paths] = operands;
    const { to, dryRun, ...rest } = options as RestoreOptions;
    if (to === undefined && rest.inPlace !== true) {
      throw new CairnError('USAGE', 'a restore needs --to DIRECTORY', {
        hint: 'With --in-place it goes to where everything came from, and writes only what differs.',
      });
    }
    if (rest.inPlace !== true && (rest.overwrite !== undefined || rest.delete !== undefined)) {
      throw new CairnError('USAGE', '--overwrite and --delete need --in-place');
    }
    const target = resolve(to ?? '/');
    const actions: RestoreAction[] = [];
    return await withRepository(context, async ({ repository }) => {
      const archive = repository.archive(ref);
      const request = requestOf(context, rest, paths, dryRun === true);
      const startMs = performance.now();
      const line = new ProgressLine(context.messages);
      const whole = paths.length === 0 && rest.include === undefined && rest.exclude === undefined;
      const report = await repository
        .restore(archive, target, request, {
          signal: context.signal,
          onAction: (action) => tellAction(context, action, dryRun === true, actions),
          onProgress: ({ files, bytes }) =>
            line.update(() => ({
              bytes,
              totalBytes: whole ? archive.descriptor.stats.bytes : undefined,
              facts: [counted(files, 'file'), formatBytes(bytes)],
            })),
        })
        .finally(() => line.done());
      if (context.json) {
        await context.output.line(JSON.stringify(restoreJson(report, archive.name, target, dryRun === true, actions)));
      } else await print(context, report, archive.name, target, performance.now() - startMs, dryRun === true);
      return Object.keys(report.problemCounts).length === 0 ? 0 : EXIT_INCOMPLETE;
    });
  },
};

function requestOf(
  { settings, variables }: Context,
  options: Omit<RestoreOptions, 'to' | 'dryRun'>,
  paths: readonly string[],
  dryRun: boolean,
): RestoreRequest {
  const { include, exclude, stripComponents, numericOwner, privileged, sparse, withHoles, intoNonEmpty } = options;
  const { inPlace, overwrite, verify, ignoreSpace } = options;
  const threads = settings.count('threads');
  const ours = (['state-directory', 'cache-directory', 'key-file'] as const).flatMap(
    (name) => settings.text(name) ?? [],
  );
  const remove = options.delete === true ? { delete: true, spare: [...ours, configHome(variables)] } : {};
  return {
    ...(inPlace === true ? { inPlace: { ...(overwrite === undefined ? {} : { overwrite }), ...remove } } : {}),
    ...(verify === undefined ? {} : { verify }),
    ...(ignoreSpace === undefined ? {} : { ignoreSpace }),
    ...(paths.length === 0 ? {} : { paths: paths.map(pathArgument) }),
    ...(include === undefined ? {} : { include: pathMatcher(include) }),
    ...(exclude === undefined ? {} : { exclude: pathMatcher(exclude) }),
    ...(stripComponents === undefined ? {} : { stripComponents }),
    ...(threads === undefined ? {} : { threads }),
    ...(numericOwner === undefined ? {} : { numericOwner }),
    ...(privileged === undefined ? {} : { privileged }),
    ...(sparse === undefined ? {} : { sparse }),
    ...(withHoles === undefined ? {} : { withHoles }),
    ...(intoNonEmpty === undefined ? {} : { intoNonEmpty }),
    dryRun,
  };
}

/** What a dry run in place would do goes to standard output, line by line; of a real run only what --verbose asks for. */
function tellAction(
  { json, output, messages }: Context,
  action: RestoreAction,
  dryRun: boolean,
  actions: RestoreAction[],
): void {
  if (json && dryRun && actions.length < TOLD_ACTIONS) actions.push(action);
  if (action.action === 'unchanged' || json) return;
  const text = `${action.action} ${displayName(action.path)}`;
  if (!dryRun) {
    if (messages.verbose) messages.write(text);
    return;
  }
  // A reader that is slow is waited for with the lines that follow.
  void output.line(text);
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

/** The first parts that are lost; thousands of them tell no more. */
function tellBadRanges(messages: Messages, { badRanges, badBytes }: RestoreReport): void {
  const told = messages.verbose ? badRanges : badRanges.slice(0, TOLD_PROBLEMS);
  for (const { path, offset, length } of told) {
    messages.write(`lost: ${displayName(path)}: ${length} bytes from byte ${offset}`);
  }
  if (told.length < badRanges.length) messages.write('lost: … and more; --verbose or --json tells them');
  if (badBytes > 0) messages.info(`${formatBytes(badBytes)} of files are lost. \`cairn check\` tells what to do.`);
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
  tellBadRanges(messages, report);
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
  const { replaced, unchanged, attributes, kept, deleted, verified } = report;
  for (const [what, times] of Object.entries({ replaced, unchanged, attributes, kept, deleted, verified })) {
    if (times > 0) facts.push([what, counted(times, 'entry', 'entries')]);
  }
  for (const [kind, times] of Object.entries(problemCounts)) facts.push([kind, counted(times, 'time')]);
  facts.push(['took', formatDuration(ms)]);
  for (const line of formatFacts(facts)) await output.line(line);
  const left = Object.entries(notRestored).filter(([, times]) => times > 0);
  if (left.length > 0) {
    const what = left.map(([kind, times]) => `${NOT_RESTORED[kind] ?? kind} (${times})`).join(', ');
    messages.info(`Not restored without --privileged: ${what}.`);
  }
}
