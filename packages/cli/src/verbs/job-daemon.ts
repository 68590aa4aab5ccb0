import { systemEnvironment, systemTimer } from '@cairn/core';
import { Daemon, listJobs, TurnQueue } from '@cairn/jobs';
import { hostname } from 'node:os';

import { addJobsDirectory, jobDirectoriesOf, jobsDirectoryOf, runStoreOf } from '../jobs/job-context.ts';
import { startRun } from '../jobs/start-run.ts';
import { count, timeSpan } from '../option-values.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly maxRuns?: number;
  readonly slice?: number;
}

/** A job that fails so often does not fail by chance. */
const MOST_RUNS = 100;

export const jobDaemon: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description(
        'Run the jobs of the jobs directory when their schedules say so, or when their sources change, one at a time. Files that change ' +
          'are read again. Ends cleanly on SIGTERM; what a backup stored until then is found again.',
      )
      .option(
        '--max-runs <number>',
        'how often a job that fails is run, after others that wait; 1 when not given',
        count(1, MOST_RUNS),
      )
      .option('--slice <time>', 'let others that wait go first after so long, and go on later, as in 1h', timeSpan)
      .addHelpText('after', '\nExample:\n  cairn job daemon');
  },

  async run(context, { options }) {
    const { maxRuns, slice } = options as Options;
    const { messages, signal } = context;
    const directory = jobsDirectoryOf(context);
    const queue = new TurnQueue({
      clock: systemEnvironment.clock,
      ...(maxRuns === undefined ? {} : { mostAttempts: maxRuns }),
      ...(slice === undefined ? {} : { sliceMs: slice }),
      start: ({ job, trigger }, inner) => {
        messages.info(`${job}: begins (${trigger})`);
        const onFailure = (text: string): void => messages.warn(text);
        return startRun({ directory, job, trigger, signal: inner, json: context.json, onFailure });
      },
      onEnd: ({ job }, exit, next) => messages.info(`${job}: ended with status ${exit}; ${next}`),
    });
    const daemon = new Daemon({
      environment: systemEnvironment,
      timer: systemTimer,
      runs: runStoreOf(context),
      listJobs: () => listJobs(directory),
      queue,
      log: (text) => messages.write(text),
      host: hostname(),
      directories: jobDirectoriesOf(context),
      signal,
    });
    messages.info(`jobs of ${directory} are run when they are due`);
    await daemon.run();
  },
};
