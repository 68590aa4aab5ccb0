import { EXIT_INCOMPLETE, type CheckProgress, type RepairPlan, type RepairReport } from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository } from '../open-repository.ts';
import { counted, formatBytes, formatCount } from '../output/format.ts';
import { repairJson } from '../output/json-repair.ts';
import { ProgressLine, type ProgressParts } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';
import { formatFacts } from '../output/table.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly data?: boolean;
  readonly dryRun?: boolean;
}

export const repair: Verb = {
  define(command) {
    command
      .description(
        'Save what can be saved: list packs anew that the index has lost, copy what is good in damaged packs into new ' +
          'ones, and note what is damaged, so that the next backup stores it again. Deletes nothing. Exits with 3 when ' +
          'something is lost that only a backup can bring back.',
      )
      .option('--data', 'read everything first; otherwise only what a check found to be damaged is looked at')
      .option('-n, --dry-run', 'say what would be done, write nothing')
      .addHelpText('after', '\nExample:\n  cairn repair -r /backup/repo --dry-run');
  },

  async run(context, { options }) {
    const { data, dryRun } = options as Options;
    return await withRepository(context, async ({ repository }) => {
      const threads = context.settings.count('threads');
      const line = new ProgressLine(context.messages);
      const run = {
        signal: context.signal,
        onProgress: (progress: CheckProgress) => line.update(() => partsOf(progress)),
      };
      const work = async (): Promise<{ plan: RepairPlan; report: RepairReport | undefined }> => {
        const plan = await repository.planRepair(
          { ...(data === undefined ? {} : { data }), ...(threads === undefined ? {} : { threads }) },
          run,
        );
        return { plan, report: dryRun === true ? undefined : await repository.repair(plan, run) };
      };
      const { plan, report } = await work().finally(() => line.done());
      if (context.json) await context.output.line(JSON.stringify(repairJson(plan, report)));
      else await print(context, plan, report);
      return isLossless(plan) ? 0 : EXIT_INCOMPLETE;
    });
  },
};

/** True when nothing is lost, as far as the plan knows. */
function isLossless({ absent, damaged }: RepairPlan): boolean {
  return absent.length === 0 && damaged.every((pack) => pack.damaged + pack.unopened === 0 && !pack.headerLost);
}

function partsOf({ phase, done, total }: CheckProgress): ProgressParts {
  const isBytes = phase === 'data';
  const shown = isBytes ? formatBytes : formatCount;
  const facts = [`${phase}: ${shown(done)}${total === 0 ? '' : ` of ${shown(total)}`}`];
  return isBytes ? { bytes: done, totalBytes: total, facts } : { bytes: 0, facts };
}

async function print({ output, messages }: Context, plan: RepairPlan, report: RepairReport | undefined): Promise<void> {
  const { relist, lostSegments, absent, damaged, sound } = plan;
  for (const { name, reason, headerLost, unopened, ...counts } of damaged) {
    const parts = [
      [counts.salvaged, 'can be copied into a new pack'],
      [counts.copiedBefore, 'also elsewhere'],
      [counts.damaged, 'lost'],
      [unopened, 'not to be opened with this key'],
    ] as const;
    const told = parts.filter(([number]) => number > 0).map(([number, what]) => `${counted(number, 'chunk')} ${what}`);
    messages.write(`packs/${name}: ${safeText(reason)}; ${headerLost ? 'its header is lost' : told.join(', ')}`);
  }
  for (const name of absent) messages.write(`packs/${name}: not in the store`);
  for (const name of lostSegments) messages.write(`index/${name}: cannot be used any more`);
  await output.line(verdictOf(plan, report));
  const facts: (readonly [string, string])[] = [
    ['packs', `${formatCount(plan.packs)} in the store`],
    ['listed anew', counted(relist.length, 'pack')],
    ['index', `${counted(lostSegments.length, 'segment')} given up`],
    ['damaged', `${counted(damaged.length, 'pack')}, and ${formatCount(absent.length)} missing`],
  ];
  if (sound.length > 0) facts.push(['sound again', counted(sound.length, 'pack')]);
  if (report !== undefined) {
    const { salvagedChunks, salvagedBytes } = report;
    facts.push(['saved', `${counted(salvagedChunks, 'chunk')}, ${formatBytes(salvagedBytes)}`]);
  }
  for (const line of formatFacts(facts)) await output.line(line);
  if (!isLossless(plan)) {
    messages.info(
      'Back up the sources again: what is damaged is then stored anew. `cairn check` names the files until then.',
    );
  }
}

function verdictOf(plan: RepairPlan, report: RepairReport | undefined): string {
  if (plan.empty) return 'There is nothing to repair.';
  if (report === undefined) return 'This would be done:';
  return isLossless(plan) ? 'Repaired; nothing is lost.' : 'Repaired, as far as can be.';
}
