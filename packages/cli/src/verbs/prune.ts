import { pruneJson } from '@cairn/api/shapes';
import {
  ALGORITHMS,
  CairnError,
  COUNT_RULES,
  DEFAULT_POLICY,
  describePolicy,
  ERROR_TABLE,
  KEEP_ALL,
  reasonText,
  TimeZone,
  type CountRule,
  type PruneOptions,
  type PrunePlan,
  type RetentionAlgorithm,
  type RetentionPolicy,
  type RetentionTime,
  type SeriesPlan,
} from '@cairn/core';
import { InvalidArgumentError, Option, type Command } from 'commander';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { count, several } from '../option-values.ts';
import { counted, formatCount } from '../output/format.ts';
import { safeText } from '../output/safe-text.ts';
import { formatTable } from '../output/table.ts';
import { whoDecides } from '../user-name.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly keepDefault?: boolean;
  readonly keepWithin?: string;
  readonly algorithm?: RetentionAlgorithm;
  readonly series?: readonly string[];
  readonly timeZone?: string;
  readonly by?: RetentionTime;
  readonly maxShare?: number;
  readonly dryRun?: boolean;
}

/** What each rule is called in the help. */
const WHAT: Readonly<Record<CountRule, string>> = {
  last: 'newest archives',
  secondly: 'archives of different seconds',
  minutely: 'archives of different minutes',
  hourly: 'archives of different hours',
  daily: 'archives of different days',
  weekly: 'archives of different weeks',
  monthly: 'archives of different months',
  '13weekly': 'archives of different quarters of 13 weeks',
  '3monthly': 'archives of different quarters of 3 months',
  yearly: 'archives of different years',
};

export const prune: Verb = {
  define(command) {
    command.description(
      'Delete the archives that a policy does not keep, in each series by itself. What is deleted can be brought back with ' +
        '`cairn undelete` until its grace is over, and takes space until `cairn compact`. A number may also be `all`.',
    );
    command.option('--keep-default', `keep what is a good beginning: ${describePolicy(DEFAULT_POLICY)}`);
    for (const rule of COUNT_RULES) command.option(`--keep-${rule} <number>`, `keep so many ${WHAT[rule]}`, keepCount);
    command.option('--keep-within <interval>', 'keep all that are younger, as in 2w: y, m, w, d, H, M or S');
    defineScope(command);
    command.addHelpText(
      'after',
      '\nExample:\n  cairn prune -r /backup/repo --keep-daily 7 --keep-weekly 8 --keep-monthly 4 --dry-run',
    );
  },

  async run(context, { options }) {
    const given = options as Options;
    const request = requestOf(given, policyOf(options));
    return await withRepository(context, async ({ repository }) => {
      const plan = await repository.planPrune(request);
      const isDryRun = given.dryRun === true;
      if (isDryRun) {
        await show(context, plan, true);
        return plan.series.some(({ exceeds }) => exceeds) ? ERROR_TABLE.SHARE_EXCEEDED.exit : 0;
      }
      await repository.prune(plan, { by: whoDecides() });
      await show(context, plan, false);
      return 0;
    });
  },
};

function defineScope(command: Command): void {
  command
    .addOption(new Option('--algorithm <name>', 'how rules work together; borg when not given').choices(ALGORITHMS))
    .option('--series <name>', 'archives of this series only; may be repeated', several)
    .option('--time-zone <name>', 'where days and weeks begin, as in Europe/Madrid; this machine when not given')
    .addOption(
      new Option(
        '--by <time>',
        'when the store received an archive, or its backup started; received when not given',
      ).choices(['received', 'started']),
    )
    .option('--max-share <percent>', 'refuse to remove more of a series at once; 50 when not given', count(0, 100))
    .option('-n, --dry-run', 'show what would be kept and removed, and why; remove nothing');
}

/** Parses how many archives a rule keeps. */
function keepCount(text: string): number {
  if (text === 'all' || text === String(KEEP_ALL)) return KEEP_ALL;
  try {
    return count(0, 1_000_000)(text);
  } catch {
    throw new InvalidArgumentError('It must be a whole number from 0 to 1000000, or `all`.');
  }
}

function policyOf(options: Readonly<Record<string, unknown>>): RetentionPolicy {
  const { keepDefault, keepWithin, algorithm } = options as Options;
  const counts: Partial<Record<CountRule, number>> = {};
  for (const rule of COUNT_RULES) {
    // Commander makes `keepDaily` of `--keep-daily`, and `keep-13weekly` has no letter to raise.
    const value = options[`keep${rule.charAt(0).toUpperCase()}${rule.slice(1)}`];
    if (typeof value === 'number') counts[rule] = value;
  }
  const policy = {
    ...(keepDefault === true ? DEFAULT_POLICY : {}),
    ...counts,
    ...(keepWithin === undefined ? {} : { within: keepWithin }),
    ...(algorithm === undefined ? {} : { algorithm }),
  };
  if (keepDefault === true && (keepWithin !== undefined || Object.keys(counts).length > 0)) {
    throw new CairnError('USAGE', '--keep-default stands for a whole policy, and other rules were given', {
      hint: `Write out what to keep; the default is ${describePolicy(DEFAULT_POLICY)}.`,
    });
  }
  return policy;
}

function requestOf({ series, timeZone, by, maxShare }: Options, policy: RetentionPolicy): PruneOptions {
  return {
    policy,
    timeZone: timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    ...(series === undefined ? {} : { series }),
    ...(by === undefined ? {} : { time: by }),
    ...(maxShare === undefined ? {} : { maxShare: maxShare / 100 }),
  };
}

async function show(context: Context, plan: PrunePlan, isDryRun: boolean): Promise<void> {
  const { json, output, messages } = context;
  if (json) {
    await output.line(JSON.stringify(pruneJson(plan, isDryRun)));
    return;
  }
  const { algorithm = 'borg' } = plan.policy;
  messages.info(
    `policy: ${describePolicy(plan.policy)} (${algorithm}), time zone ${plan.timeZone}, by time ${plan.time}`,
  );
  const zone = new TimeZone(plan.timeZone);
  for (const series of plan.series) {
    await output.line(headOf(series, isDryRun));
    // What is kept is of interest before, what is gone after.
    const shown = series.verdicts.filter(({ reasons }) => isDryRun || messages.verbose || reasons.length === 0);
    const rows = shown.map(({ archive, timeMs, reasons }) => [
      reasons.length > 0 ? '  keep' : '  remove',
      safeText(archive.name),
      timeMs === undefined ? '?' : zone.text(timeMs),
      reasons.map(reasonText).join(', '),
    ]);
    for (const line of formatTable(rows)) await output.line(line);
    tellExcess(context, plan, series);
  }
  if (!isDryRun && plan.series.some(({ removed }) => removed > 0)) {
    messages.info(
      '`cairn undelete` brings them back until their grace is over; `cairn compact` then gives back space.',
    );
  }
}

function headOf({ series, verdicts, removed }: SeriesPlan, isDryRun: boolean): string {
  const kept = formatCount(verdicts.length - removed);
  return `${safeText(series)}: ${counted(verdicts.length, 'archive')}, ${kept} kept, ${formatCount(removed)} ${isDryRun ? 'to be removed' : 'removed'}`;
}

function tellExcess({ messages }: Context, { maxShare }: PrunePlan, { series, exceeds }: SeriesPlan): void {
  if (!exceeds) return;
  messages.warn(
    `${safeText(series)}: more would be removed than ${Math.round(maxShare * 100)} %, or all that is complete. ` +
      'It would be refused; allow it with --max-share.',
  );
}
