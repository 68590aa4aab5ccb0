import { CairnError } from '@cairn/core';
import { listJobs } from '@cairn/jobs';

import { addJobsDirectory, jobsDirectoryOf, runStoreOf } from '../jobs/job-context.ts';
import { RunPrinter } from '../jobs/run-printer.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly follow?: boolean;
}

export const jobLog: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description('Show what a run said: the last one of a job, or the one with an id. With --json, its events.')
      .argument('<job-or-run>', 'name of a job, or id of a run')
      .option('-f, --follow', 'wait for more until the run has ended')
      .addHelpText('after', '\nExample:\n  cairn job log nightly');
  },

  async run(context, { operands, options }) {
    const [which = ''] = operands;
    const runs = runStoreOf(context);
    const [last] = await runs.list({ job: which, limit: 1 });
    if (last === undefined && (await listJobs(jobsDirectoryOf(context))).some(({ name }) => name === which)) {
      throw new CairnError('NOT_FOUND', `the job ${which} has not run yet`, { hint: `Run it: cairn run ${which}` });
    }
    const { id, size } = last ?? (await runs.get(which));
    const printer = new RunPrinter(context);
    const isFollowing = (options as Options).follow === true;
    try {
      for await (const { event, offset } of runs.follow(id, 0, context.signal)) {
        printer.print(event);
        if (!isFollowing && offset >= size) break;
      }
    } finally {
      await printer.finish();
    }
    if (context.signal.aborted) throw new CairnError('CANCELLED', 'the command was stopped before the run had ended');
  },
};
