import { CairnError } from '@cairn/core';
import type { MainStep, RunTrigger } from '@cairn/jobs';
import { Option } from 'commander';

import type { Context } from '../context.ts';
import { addJobsDirectory, jobDirectoriesOf, jobMeant, runStoreOf, whoRuns } from '../jobs/job-context.ts';
import { RunPrinter } from '../jobs/run-printer.ts';
import { runAll } from '../jobs/run-all.ts';
import { count, several, timeSpan } from '../option-values.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly all?: boolean;
  readonly only?: readonly string[];
  readonly runId?: string;
  readonly trigger?: RunTrigger;
  readonly maxRuns?: number;
  readonly maxTime?: number;
  readonly slice?: number;
}

const STEPS: readonly MainStep[] = ['backup', 'prune', 'compact', 'check'];
const TRIGGERS: readonly RunTrigger[] = ['manual', 'schedule', 'change', 'api', 'timer'];
/** A job that fails so often does not fail by chance. */
const MOST_RUNS = 100;

interface NamedOption {
  readonly name: keyof Options;
  readonly option: string;
}

const FOR_ONE: readonly NamedOption[] = [
  { name: 'only', option: '--only' },
  { name: 'runId', option: '--run-id' },
  { name: 'trigger', option: '--trigger' },
];
const FOR_ALL: readonly NamedOption[] = [
  { name: 'maxRuns', option: '--max-runs' },
  { name: 'maxTime', option: '--max-time' },
  { name: 'slice', option: '--slice' },
];

export const run: Verb = {
  define(command) {
    command
      .description(
        'Run a job: its hooks, dumps, backup, prune, compact, check and alerts. A step that fails is told and the next one goes on, ' +
          'unless the job says `policy = "stop"`. Exits with the status of the first step that failed, with 3 when there are only ' +
          'warnings. A job has one run at a time. With --all, all jobs run one after the other.',
      )
      .argument(
        '[job]',
        'name of a job in the jobs directory, path of a job file, or - to read one from standard input',
      )
      .option('--only <step>', `only this of ${STEPS.join(', ')}, with what it needs; may be repeated`, several)
      .addOption(new Option('--trigger <name>', 'what the record names as the reason of the run').choices(TRIGGERS))
      .option('--run-id <id>', 'id of the run, for programs that follow it')
      .option('--all', 'run all jobs in turn; one that fails is tried again after the others')
      .option(
        '--max-runs <number>',
        'with --all: how often a job that fails is run; 3 when not given',
        count(1, MOST_RUNS),
      )
      .option('--max-time <time>', 'with --all: begin nothing after so long, as in 6h', timeSpan)
      .option('--slice <time>', 'with --all: let others go first after so long, and go on later, as in 1h', timeSpan);
    addJobsDirectory(command);
    command.addHelpText('after', '\nExample:\n  cairn run nightly');
  },

  async run(context, { operands, options }) {
    const given = options as Options;
    const [operand, ...more] = operands;
    const misplaced = (given.all === true ? FOR_ONE : FOR_ALL).find(({ name }) => given[name] !== undefined);
    if (misplaced !== undefined) {
      throw new CairnError('USAGE', `${misplaced.option} ${given.all === true ? 'is for one job' : 'needs --all'}`);
    }
    if (given.all === true) {
      if (operand !== undefined) throw new CairnError('USAGE', 'with --all no job is named');
      return await runAll(context, given);
    }
    if (operand === undefined || more.length > 0) {
      throw new CairnError('USAGE', 'a job to run is needed', {
        hint: 'See which there are with `cairn job list`, or say --all.',
      });
    }
    return await runOne(context, operand, given);
  },
};

async function runOne(context: Context, operand: string, options: Options): Promise<number> {
  const only = options.only?.map((step) => {
    const known = STEPS.find((one) => one === step);
    if (known !== undefined) return known;
    throw new CairnError('USAGE', `there is no step ${step} to run alone`, {
      hint: `Choose from ${STEPS.join(', ')}.`,
    });
  });
  const job = await jobMeant(context, operand);
  const { runJob } = await import('@cairn/jobs');
  const printer = new RunPrinter(context);
  try {
    const outcome = await runJob(job, {
      ...whoRuns(),
      runs: runStoreOf(context),
      trigger: options.trigger ?? 'manual',
      signal: context.signal,
      variables: context.variables,
      directories: jobDirectoriesOf(context),
      runId: options.runId,
      onEvent: (event) => printer.print(event),
      ...(only === undefined ? {} : { only }),
    });
    return outcome.exit;
  } finally {
    await printer.finish();
  }
}
