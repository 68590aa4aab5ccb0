import { compactJson } from '@cairn/api/shapes';
import type { CompactOptions, CompactPlan, CompactProgress, CompactReport } from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { count, timeSpan } from '../option-values.ts';
import { counted, formatBytes, formatCount, formatDuration } from '../output/format.ts';
import { ProgressLine, type ProgressParts } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';
import { formatFacts } from '../output/table.ts';
import { whoDecides } from '../user-name.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly grace?: number;
  readonly maxUnused?: number;
  readonly dryRun?: boolean;
}

const PHASE: Readonly<Record<CompactProgress['phase'], string>> = {
  index: 'reading the index',
  mark: 'archives',
  judge: 'packs looked at',
  repack: 'packs written again',
  merge: 'merging the index',
  remove: 'objects removed',
};

export const compact: Verb = {
  define(command) {
    command
      .description(
        'Give back space: archives that were deleted long enough ago are dropped for ever, and what no archive needs is ' +
          'removed. Takes two graces: one from deleting an archive to dropping it, one from then to removing its data.',
      )
      .option(
        '--grace <time>',
        'how long to wait each time, such as 36h or 7d; 0 does all at once (default: 7d)',
        timeSpan,
      )
      .option(
        '--max-unused <percent>',
        'leave packs as they are of which no more than this share is unused (default: 25)',
        count(0, 99),
      )
      .option('-n, --dry-run', 'tell what would be done')
      .addHelpText('after', '\nExample:\n  cairn compact -r /backup/repo --dry-run');
  },

  async run(context, { options }) {
    const { dryRun = false, ...rest } = options as Options;
    await withRepository(context, async ({ repository }) => {
      const line = new ProgressLine(context.messages);
      const { signal } = context;
      const onProgress = (progress: CompactProgress): void => line.update(() => partsOf(progress));
      const run = { signal, onProgress, by: whoDecides() };
      const plan = await repository.planCompact(optionsOf(rest), run).finally(() => line.done());
      const report = dryRun ? undefined : await repository.compact(plan, run).finally(() => line.done());
      if (context.json) await context.output.line(JSON.stringify(compactJson(plan, report)));
      else if (report === undefined) await printPlan(context, plan);
      else await printReport(context, report);
    });
  },
};

function optionsOf({ grace, maxUnused }: Options): CompactOptions {
  return {
    ...(grace === undefined ? {} : { graceMs: grace }),
    ...(maxUnused === undefined ? {} : { maxUnused: maxUnused / 100 }),
  };
}

function partsOf({ phase, done, total }: CompactProgress): ProgressParts {
  const facts = total === 0 ? [PHASE[phase]] : [`${PHASE[phase]}: ${formatCount(done)} of ${formatCount(total)}`];
  return { bytes: 0, facts };
}

/** A number of packs, with their bytes. */
function packs({ packs: number, bytes }: CompactPlan['dead']): string {
  return `${counted(number, 'pack')}, ${formatBytes(bytes)}`;
}

function objects({ packs: number, segments }: CompactPlan['sweep']): string {
  return `${counted(number, 'pack')}, ${counted(segments, 'index segment')}`;
}

async function printPlan({ output, messages }: Context, plan: CompactPlan): Promise<void> {
  if (plan.lostSegments > 0) {
    messages.warn(`${counted(plan.lostSegments, 'index segment')} of the repository are missing; run \`cairn check\`.`);
  }
  for (const { name } of plan.drop) await output.line(`would drop ${safeText(name)}`);
  for (const { seq } of plan.dropUnreadable) await output.line(`would drop the archive of log entry ${seq}`);
  const { repack } = plan;
  for (const line of formatFacts([
    ['archives to drop', formatCount(plan.drop.length + plan.dropUnreadable.length)],
    ['deleted, in the grace', formatCount(plan.waiting.length)],
    ['to condemn', packs(plan.dead)],
    ['of interrupted runs', packs(plan.unlisted)],
    ['too young to tell', packs(plan.young)],
    [
      'to write again',
      `${packs(repack)}: ${formatBytes(repack.copiedBytes)} are copied, ${formatBytes(repack.freedBytes)} freed`,
    ],
    ['unused, left', formatBytes(plan.unusedBytes)],
    ['index segments to merge', formatCount(plan.mergedSegments)],
    ['to remove for ever', objects(plan.sweep)],
    ['condemned, in the grace', objects(plan.condemned)],
    ['left behind', counted(plan.leftovers, 'object')],
  ])) {
    await output.line(line);
  }
}

async function printReport({ output, messages }: Context, report: CompactReport): Promise<void> {
  for (const { name } of report.dropped) await output.line(`dropped ${safeText(name)}`);
  const { droppedUnreadable } = report;
  if (droppedUnreadable > 0) await output.line(`dropped ${counted(droppedUnreadable, 'archive')} that nobody can read`);
  if (report.rescued.length > 0) {
    messages.warn(`${counted(report.rescued.length, 'condemned pack')} held what archives need, and stay.`);
  }
  if (report.damaged.length > 0) {
    messages.warn(
      `${counted(report.damaged.length, 'damaged pack')} were left as they are; run \`cairn check --data\`.`,
    );
  }
  const { removed, condemned, repacked, swept } = report;
  for (const line of formatFacts([
    ['removed', `${counted(removed.objects, 'object')}, ${formatBytes(removed.bytes)}`],
    ['given up for ever', objects(swept)],
    ['condemned', `${packs(condemned)}, ${counted(condemned.segments, 'index segment')}`],
    ['written again', `${counted(repacked.packs, 'pack')}, ${formatBytes(repacked.copiedBytes)} copied`],
    ['merged', counted(report.mergedSegments, 'index segment')],
    ['took', formatDuration(report.durationMs)],
  ])) {
    await output.line(line);
  }
}
