import { formatBytes, systemEnvironment, toUtf8 } from '@cairn/core';
import { planJob, zoneOf, type JobPlan } from '@cairn/jobs';

import { addJobsDirectory, jobDirectoriesOf, jobMeant, whoRuns } from '../jobs/job-context.ts';
import { counted } from '../output/format.ts';
import { safeText } from '../output/safe-text.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly offline?: boolean;
}

export const jobPlan: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description(
        'Tell what a run of a job would do: which steps, hooks and dumps, what would be backed up and what is left out by which rule, and ' +
          'which archives a prune would remove. For each path that is named: whether it is backed up, and why not. Changes nothing.',
      )
      .argument('<job>', 'name of a job, path of a job file, or - for standard input')
      .argument('[path...]', 'paths to explain; they need not exist')
      .option('--offline', 'do not ask the repository, count nothing')
      .addHelpText('after', '\nExample:\n  cairn job plan nightly /var/lib/mysql');
  },

  async run(context, { operands, options }) {
    const [name = '', ...paths] = operands;
    const job = await jobMeant(context, name);
    const plan = await planJob(job, {
      ...whoRuns(),
      directories: jobDirectoriesOf(context),
      variables: context.variables,
      environment: systemEnvironment,
      onWarning: (text) => context.messages.warn(text),
      signal: context.signal,
      paths,
      timeZone: zoneOf(job.schedule ?? {}),
      looks: (options as Options).offline !== true,
    });
    if (context.json) await context.output.line(JSON.stringify(planJson(plan)));
    else for (const line of planText(plan)) await context.output.line(line);
    for (const { message } of plan.failures) context.messages.warn(message);
    return plan.failures[0]?.exit ?? 0;
  },
};

function planText({ steps, hooks, dumps, sources, explanations, backup, prune }: JobPlan): string[] {
  return [
    `steps: ${['reachable', ...(steps.includes('backup') ? ['space'] : []), ...steps].join(', ')}`,
    ...hooks.map(({ name, when, step }) => `hook ${name}: ${when} ${step ?? 'the job'}`),
    ...dumps.map((name) => `dump ${safeText(name)}`),
    ...sources.map((path) => `source ${safeText(path)}`),
    ...explanations.map(({ text }) => text),
    ...(backup === undefined ? [] : backupText(backup)),
    ...(prune === undefined ? [] : pruneText(prune)),
  ];
}

function backupText({ files, bytes, excluded, leftOut, problems }: NonNullable<JobPlan['backup']>): string[] {
  const more = excluded - leftOut.length;
  return [
    `a backup would take ${counted(files, 'file')}, ${formatBytes(bytes)}, and leave out ${counted(excluded, 'entry', 'entries')}`,
    ...leftOut.map(({ path, reason }) => `  left out: ${path}: ${safeText(reason)}`),
    ...(more > 0 ? [`  and ${counted(more, 'more entry', 'more entries')}`] : []),
    ...problems.map((text) => `  problem: ${safeText(text)}`),
  ];
}

function pruneText(verdicts: NonNullable<JobPlan['prune']>): string[] {
  const removed = verdicts.filter(({ reasons }) => reasons.length === 0);
  return [
    `a prune would remove ${removed.length} of ${counted(verdicts.length, 'archive')}`,
    ...verdicts.map(({ archive, reasons }) =>
      reasons.length === 0 ? `  remove ${safeText(archive)}` : `  keep ${safeText(archive)}: ${reasons.join(', ')}`,
    ),
  ];
}

function planJson(plan: JobPlan): Readonly<Record<string, unknown>> {
  const { job, steps, hooks, dumps, sources, explanations, backup, prune, failures } = plan;
  return {
    job,
    steps,
    hooks,
    dumps,
    sources,
    explanations: explanations.map(({ taken, decidedAt, decision, text }) => ({
      taken,
      decided_at: toUtf8(decidedAt),
      ...(decision?.reason === undefined ? {} : { reason: decision.reason.kind }),
      text,
    })),
    ...(backup === undefined
      ? {}
      : {
          backup: {
            files: backup.files,
            bytes: backup.bytes,
            excluded: backup.excluded,
            left_out: backup.leftOut,
            problems: backup.problems,
          },
        }),
    ...(prune === undefined
      ? {}
      : { prune: prune.map(({ archive, reasons }) => ({ archive, removed: reasons.length === 0, reasons })) }),
    failures,
  };
}
