import {
  ERROR_TABLE,
  EXIT_INCOMPLETE,
  type CheckOptions,
  type CheckProgress,
  type CheckReport,
  type Finding,
} from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { percent, timeSpan } from '../option-values.ts';
import { counted, formatBytes, formatCount, formatDuration, formatTime } from '../output/format.ts';
import { checkJson } from '../output/json-reports.ts';
import { ProgressLine, type ProgressParts } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';
import { formatFacts } from '../output/table.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly data?: boolean;
  readonly dataShare?: number;
  readonly for?: number;
  readonly headers?: boolean;
  readonly record?: boolean;
}

const LEVEL: Readonly<Record<CheckReport['level'], string>> = {
  structure: 'structure: log, index, packs, trees',
  sample: 'structure, and the data of some packs',
  data: 'structure, and all data',
};

export const check: Verb = {
  define(command) {
    command
      .description(
        'Look for damage. Without options everything but the content of packs is looked at. Exits with 20 ' +
          'when there is damage, with 3 when there are only warnings.',
      )
      .option('--data', 'read everything, and open every chunk that the key can open')
      .option('--data-share <percent>', 'as --data, that share of the packs: those checked longest ago', percent)
      .option(
        '--for <time>',
        'as --data, as many packs as that time allows (30m, 2h): those checked longest ago',
        timeSpan,
      )
      .option('--no-headers', 'do not read the headers of packs')
      .option('--no-record', 'do not say in the repository that the check was done, and what it found')
      .addHelpText('after', '\nExample:\n  cairn check -r /backup/repo --data-share 5%');
  },

  async run(context, { options }) {
    return await withRepository(context, async ({ repository }) => {
      const threads = context.settings.count('threads');
      const line = new ProgressLine(context.messages);
      const onFinding = teller(context);
      const report = await repository
        .check(optionsOf(options as Options, threads), {
          signal: context.signal,
          onFinding,
          onProgress: (progress) => line.update(() => partsOf(progress)),
        })
        .finally(() => line.done());
      if (context.json) await context.output.line(JSON.stringify(checkJson(report)));
      else await print(context, report);
      if (report.errors > 0) return ERROR_TABLE.CORRUPT.exit;
      return report.warnings > 0 ? EXIT_INCOMPLETE : 0;
    });
  },
};

function optionsOf(
  { data, dataShare, for: forMs, headers, record }: Options,
  threads: number | undefined,
): CheckOptions {
  return {
    ...(threads === undefined ? {} : { threads }),
    ...(data === undefined ? {} : { data }),
    ...(dataShare === undefined && forMs === undefined ? {} : { sample: sampleOf(dataShare, forMs) }),
    ...(headers === undefined ? {} : { headers }),
    ...(record === undefined ? {} : { record }),
  };
}

function sampleOf(share: number | undefined, forMs: number | undefined): NonNullable<CheckOptions['sample']> {
  return { ...(share === undefined ? {} : { share }), ...(forMs === undefined ? {} : { forMs }) };
}

function partsOf({ phase, done, total }: CheckProgress): ProgressParts {
  const isBytes = phase === 'data';
  const shown = isBytes ? formatBytes : formatCount;
  const facts = [`${phase}: ${shown(done)}${total === 0 ? '' : ` of ${shown(total)}`}`];
  return isBytes ? { bytes: done, totalBytes: total, facts } : { bytes: 0, facts };
}

/** Tells findings. What to do about many of one kind stands below the first of them. */
function teller({ messages }: Context): (finding: Finding) => void {
  let toldHint = '';
  return ({ severity, object, archive, path, message, hint }) => {
    if (severity === 'info') {
      messages.detail(`info: ${safeText(message)}`);
      return;
    }
    const place = [object, archive, path].filter((part) => part !== undefined).map(safeText);
    messages.write(`${severity}: ${[...place, safeText(message)].join(': ')}`);
    if (hint !== toldHint) messages.write(`       ${hint}`);
    toldHint = hint;
  };
}

async function print({ output }: Context, report: CheckReport): Promise<void> {
  const { errors, warnings } = report;
  const verdict =
    errors > 0
      ? `There is damage: ${counted(errors, 'error')}, ${counted(warnings, 'warning')}.`
      : warnings > 0
        ? `No damage was found; ${counted(warnings, 'warning')}.`
        : 'No damage was found.';
  await output.line(verdict);
  for (const line of formatFacts([
    ['looked at', LEVEL[report.level]],
    ['archives', `${formatCount(report.archives)}, with ${counted(report.entries, 'entry', 'entries')}`],
    ['packs', `${formatCount(report.packs)}, ${formatCount(report.packsRead)} of them read wholly`],
    ['chunks', `${formatCount(report.references)} looked up, ${formatCount(report.chunks)} opened`],
    ...affectedFact(report),
    ...waitingFact(report),
    ['read', formatBytes(report.bytesRead)],
    ['took', formatDuration(Number((report.endedNs - report.startedNs) / 1_000_000n))],
  ])) {
    await output.line(line);
  }
}

function affectedFact({ affected: { archives, paths } }: CheckReport): [string, string][] {
  if (paths === 0) return [];
  return [
    ['affected', `${counted(paths, 'path')} in ${counted(archives, 'archive')}; \`cairn repair\` saves what can be`],
  ];
}

/** What a check of some packs leaves for the next ones. */
function waitingFact({ level, unverified: { packs, oldestMs } }: CheckReport): [string, string][] {
  if (level === 'structure') return [];
  if (packs > 0) return [['left', `${counted(packs, 'pack')} that this machine never read`]];
  return oldestMs === undefined
    ? []
    : [['left', `nothing: all packs were read since ${formatTime(BigInt(oldestMs) * 1_000_000n)}`]];
}
