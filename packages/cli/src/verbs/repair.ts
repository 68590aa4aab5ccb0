import {
  EXIT_INCOMPLETE,
  Repository,
  type CheckProgress,
  type DamagedPack,
  type LogRepairPlan,
  type RepairPlan,
  type RepairReport,
} from '@cairn/core';

import type { Context } from '../context.ts';
import { withRepository, type OpenHow } from '../open-repository.ts';
import { count } from '../option-values.ts';
import { counted, formatBytes, formatCount, formatStoreTime } from '../output/format.ts';
import { repairJson, type Repaired } from '../output/json-repair.ts';
import { ProgressLine, type ProgressParts } from '../output/progress-line.ts';
import { safeText } from '../output/safe-text.ts';
import { formatFacts } from '../output/table.ts';
import { repairLog } from '../repair-log.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly data?: boolean;
  readonly giveUp?: readonly number[];
  readonly dryRun?: boolean;
  readonly log?: boolean;
}

/** The plan says what is wrong with the log. */
const OWN_DOUBTS: OpenHow = { ownDoubts: true };

export const repair: Verb = {
  define(command) {
    command
      .description(
        'Save what can be saved: list packs anew that the index has lost, copy what is good in damaged packs into new ' +
          'ones, and note what is damaged, so that the next backup stores it again. Deletes nothing that is not given up by ' +
          'name. Exits with 3 when ' +
          'something is lost that only a backup can bring back.',
      )
      .option('--data', 'read everything first; otherwise only what a check found to be damaged is looked at')
      .option('--log', 'set the newest log entry aside when it cannot be read: what it decided is lost')
      .option(
        '--give-up <number>',
        'give up a log entry that cannot be read, and the archive that it committed; may be repeated',
        (text: string, earlier: readonly number[] = []) => [...earlier, count(1, Number.MAX_SAFE_INTEGER)(text)],
      )
      .option('-n, --dry-run', 'say what would be done, write nothing')
      .addHelpText('after', '\nExample:\n  cairn repair -r /backup/repo --dry-run');
  },

  async run(context, { options }) {
    const { data, dryRun = false, giveUp, log = false } = options as Options;
    const tail = log ? await repairLog(context, dryRun) : undefined;
    const use = async (repository: Repository): Promise<number> => {
      const threads = context.settings.count('threads');
      const line = new ProgressLine(context.messages);
      const run = {
        signal: context.signal,
        onProgress: (progress: CheckProgress) => line.update(() => partsOf(progress)),
      };
      const work = async (): Promise<Repaired> => {
        const plan = await repository.planRepair(
          {
            ...(data === undefined ? {} : { data }),
            ...(giveUp === undefined ? {} : { giveUp }),
            ...(threads === undefined ? {} : { threads }),
          },
          run,
        );
        return { plan, report: dryRun ? undefined : await repository.repair(plan, run) };
      };
      const repaired = await work().finally(() => line.done());
      if (context.json) await context.output.line(JSON.stringify(repairJson(repaired, tail?.plan)));
      else await print(context, repaired, tail?.plan);
      return isLossless(repaired.plan) && tail === undefined ? 0 : EXIT_INCOMPLETE;
    };
    if (tail === undefined) return await withRepository(context, ({ repository }) => use(repository), OWN_DOUBTS);
    const { key } = tail;
    if (!dryRun) return await withRepository(context, ({ repository }) => use(repository), { key, ...OWN_DOUBTS });
    return await use(await Repository.open(tail.plan.earlier, { keys: key.capabilities }));
  },
};

/** True when nothing is lost, as far as the plan knows. */
function isLossless({ absent, damaged, unreadable }: RepairPlan): boolean {
  if (unreadable.some(({ archive, giveUp }) => archive !== undefined || !giveUp)) return false;
  const isSaved = ({ salvaged, copiedBefore, headerLost, ...lost }: DamagedPack): boolean =>
    lost.damaged + lost.unopened === 0 && (!headerLost || salvaged + copiedBefore > 0);
  return absent.length === 0 && damaged.every(isSaved);
}

function partsOf({ phase, done, total }: CheckProgress): ProgressParts {
  const isBytes = phase === 'data';
  const shown = isBytes ? formatBytes : formatCount;
  const facts = [`${phase}: ${shown(done)}${total === 0 ? '' : ` of ${shown(total)}`}`];
  return isBytes ? { bytes: done, totalBytes: total, facts } : { bytes: 0, facts };
}

async function print(
  { output, messages }: Context,
  { plan, report }: Repaired,
  tail: LogRepairPlan | undefined,
): Promise<void> {
  if (tail !== undefined) {
    const { sizeBytes, reason, seen } = tail;
    const lost = seen ? 'This machine saw it whole: what it decided is lost' : 'This machine never saw it whole';
    messages.write(`${safeText(reason)}; ${formatBytes(sizeBytes)} are there. ${lost}. It goes to tmp/.`);
  }
  const { relist, lostSegments, absent, damaged, sound, unreadable } = plan;
  for (const { seq, receivedMs, archive, why, giveUp } of unreadable) {
    const what = archive === undefined ? 'nothing is lost by it' : `its archive ${archive} is lost`;
    const next = giveUp
      ? 'given up'
      : `give it up with --give-up ${seq}, if no other copy of the store has it as it was`;
    messages.write(`log entry ${seq}, received ${formatStoreTime(receivedMs)}: ${safeText(why)}; ${what}; ${next}`);
  }
  for (const { name, reason, headerLost, unopened, ...counts } of damaged) {
    const parts = [
      [counts.salvaged, 'can be copied into a new pack'],
      [counts.copiedBefore, 'also elsewhere'],
      [counts.damaged, 'lost'],
      [unopened, 'not to be opened with this key'],
    ] as const;
    const told = parts.filter(([number]) => number > 0).map(([number, what]) => `${counted(number, 'chunk')} ${what}`);
    if (headerLost) told.unshift(told.length === 0 ? 'what it holds is not known' : 'of what archives need');
    messages.write(`packs/${name}: ${safeText(reason)}; ${told.join(', ')}`);
  }
  for (const name of absent) messages.write(`packs/${name}: not in the store`);
  for (const name of lostSegments) messages.write(`index/${name}: cannot be used any more`);
  await output.line(verdictOf(plan, report, tail !== undefined));
  const facts: (readonly [string, string])[] = [
    ['packs', `${formatCount(plan.packs)} in the store`],
    ['listed anew', counted(relist.length, 'pack')],
    ['index', `${counted(lostSegments.length, 'segment')} given up`],
    ['log', `${counted(unreadable.length, 'entry', 'entries')} that cannot be read`],
    ['damaged', `${counted(damaged.length, 'pack')}, and ${formatCount(absent.length)} missing`],
  ];
  if (sound.length > 0) facts.push(['sound again', counted(sound.length, 'pack')]);
  if (report !== undefined) {
    const { salvagedChunks, salvagedBytes } = report;
    facts.push(['saved', `${counted(salvagedChunks, 'chunk')}, ${formatBytes(salvagedBytes)}`]);
  }
  for (const line of formatFacts(facts)) await output.line(line);
  if (!isLossless(plan) || tail !== undefined) {
    messages.info(
      'Back up the sources again: what is damaged is then stored anew. `cairn check` names the files until then.',
    );
  }
}

function verdictOf(plan: RepairPlan, report: RepairReport | undefined, hasTail: boolean): string {
  if (plan.empty && !hasTail) return 'There is nothing to repair.';
  if (report === undefined) return 'This would be done:';
  if (hasTail) return 'The log can be read again.';
  return isLossless(plan) ? 'Repaired; nothing is lost.' : 'Repaired, as far as can be.';
}
