import { CairnError, systemEnvironment, type Repository } from '@cairn/core';
import type { DumpDefinition, JobFile, RestoreDumpReport, RestoreDumpRequest, RestoreStep } from '@cairn/jobs';
import { tmpdir } from 'node:os';

import type { Context } from '../context.ts';
import { addJobsDirectory, jobDirectoriesOf, jobMeant } from '../jobs/job-context.ts';
import { several } from '../option-values.ts';
import { formatBytes } from '../output/format.ts';
import { safeText } from '../output/safe-text.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly database?: readonly string[];
  readonly into?: string;
  readonly accounts?: boolean;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
}

export const jobRestoreDump: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description(
        'Restore a dump of an archive into its database: the job says how to reach it, the archive what there is. Nothing that ' +
          'holds something is replaced without --overwrite. Stops at the first part that fails, and tells what is done by then.',
      )
      .argument('<job>', 'name of a job, path of a job file, or - for standard input')
      .argument('<archive>', 'name, id, the beginning of one, `latest` or `SERIES@latest`')
      .argument('<dump>', 'name of a dump of the job: its `name`, or its kind when it has none')
      .option('--database <name>', 'only this database, without accounts; may be repeated', several)
      .option(
        '--into <name>',
        'put the one database there: another name; for sqlite a file, for openldap a configuration',
      )
      .option('--no-accounts', 'leave users, roles and rights as they are')
      .option('--overwrite', 'replace what is there')
      .option('-n, --dry-run', 'tell what would be restored and replaced, and change nothing')
      .addHelpText(
        'after',
        '\nExample:\n  cairn job restore-dump nightly latest mysql --database shop --into shop_before',
      );
  },

  async run(context, { operands, options }) {
    const [name = '', archive = '', dumpName = ''] = operands;
    const job = await jobMeant(context, name);
    const dump = await dumpOf(job, dumpName);
    const given = options as Options;
    const request = requestOf(given);
    const repository = await open(context, job);
    try {
      return await restore(context, repository, archive, dump, request, given.dryRun === true);
    } finally {
      await repository.close();
    }
  },
};

async function dumpOf({ name, dumps = [] }: JobFile, wanted: string): Promise<DumpDefinition> {
  const { dumpName } = await import('@cairn/jobs');
  const dump = dumps.find((one) => dumpName(one) === wanted);
  if (dump !== undefined) return dump;
  throw new CairnError('USAGE', `the job ${name} has no dump ${JSON.stringify(wanted)}`, {
    hint: dumps.length === 0 ? 'It has no dumps at all.' : `It has ${dumps.map(dumpName).join(', ')}.`,
  });
}

function requestOf({ database, into, accounts, overwrite }: Options): RestoreDumpRequest {
  return {
    ...(database === undefined ? {} : { databases: database }),
    ...(into === undefined ? {} : { into }),
    // Commander gives true when --no-accounts is absent; then the kind of the request decides.
    ...(accounts === false ? { accounts } : {}),
    ...(overwrite === undefined ? {} : { overwrite }),
  };
}

async function open(context: Context, job: JobFile): Promise<Repository> {
  const { openUnattended } = await import('@cairn/jobs');
  return await openUnattended(job.repository, {
    directories: jobDirectoriesOf(context),
    variables: context.variables,
    environment: systemEnvironment,
    onWarning: (text) => context.messages.warn(text),
  });
}

async function restore(
  context: Context,
  repository: Repository,
  archive: string,
  dump: DumpDefinition,
  request: RestoreDumpRequest,
  dryRun: boolean,
): Promise<number> {
  const { applyDumpRestore, planDumpRestore } = await import('@cairn/jobs');
  const { variables, signal, messages, output, json } = context;
  const view = await repository.view(archive);
  const steps = await planDumpRestore(dump, view, request, {
    environment: systemEnvironment,
    variables,
    signal,
    temporaryDirectory: tmpdir(),
    onWarning: (text) => messages.warn(text),
  });
  const shown = view.archive.name;
  if (dryRun) {
    if (json) await output.line(JSON.stringify(planJson(shown, steps, request)));
    else for (const line of planText(steps, request)) await output.line(line);
    return 0;
  }
  const report = await applyDumpRestore(steps, request, ({ what }) => messages.detail(`restoring ${safeText(what)}`));
  if (json) await output.line(JSON.stringify(reportJson(shown, report)));
  else for (const { what, result } of report.steps) await output.line(`${result}: ${safeText(what)}`);
  const { failure } = report;
  // With --json the failure is in the report already.
  if (failure !== undefined && !json) throw failure;
  return failure?.exit ?? 0;
}

function planText(steps: readonly RestoreStep[], { overwrite }: RestoreDumpRequest): string[] {
  return steps.flatMap(({ what, path, bytes, standing }) => [
    `would restore ${safeText(what)}`,
    `  from ${safeText(path)}, ${formatBytes(bytes)}`,
    ...(standing === undefined
      ? []
      : [
          `  ${overwrite === true ? 'would replace' : 'refused without --overwrite: it would replace'} ${safeText(standing)}`,
        ]),
  ]);
}

function planJson(archive: string, steps: readonly RestoreStep[], { overwrite = false }: RestoreDumpRequest) {
  return {
    archive,
    dry_run: true,
    steps: steps.map(({ what, path, bytes, standing }) => ({
      what,
      path,
      bytes,
      result: standing === undefined || overwrite ? 'would be restored' : 'refused',
      ...(standing === undefined ? {} : { replaces: standing }),
    })),
  };
}

function reportJson(archive: string, { steps, failure }: RestoreDumpReport) {
  return { archive, dry_run: false, steps, ...(failure === undefined ? {} : { error: failure.toJSON() }) };
}
