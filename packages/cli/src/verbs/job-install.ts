import { CairnError, systemErrorCode } from '@cairn/core';
import { DAEMON_UNIT, daemonUnit, jobPath, readJobFile, UNIT_PREFIX, unitsOf, type Unit } from '@cairn/jobs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import type { Context } from '../context.ts';
import { addJobsDirectory, jobDirectoriesOf, jobsDirectoryOf } from '../jobs/job-context.ts';
import { meantUnits, namesIn, systemctl, unitDirectory, type UnitPlace } from '../jobs/systemd.ts';
import type { Verb } from '../verb.ts';

interface Options extends UnitPlace {
  readonly dryRun?: boolean;
  readonly enable?: boolean;
}

const WITHOUT_SYSTEMD =
  'The units are written. Without systemd, let `cairn job daemon` run jobs, or call `cairn run` from cron.';

export const jobInstall: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description(
        'Write a service and a timer for a job, so that systemd runs it on its schedule, and switch the timer on. The units take what they ' +
          'need of the job file: install it again when its schedule, its repository or its limits change. With --daemon, write one ' +
          'service that runs all jobs, also those that run on change: `cairn job daemon`. It reads changed job files by itself.',
      )
      .argument('[job]', 'name of a job in the jobs directory')
      .option('--daemon', 'one service for all jobs, in the place of a timer for each')
      .option('--user', 'units of your own account; needs no root, and runs while you are logged in or linger')
      .option('--unit-directory <directory>', 'write the units there, and leave systemd alone')
      .option('--no-enable', 'write the units, and switch nothing on')
      .option('-n, --dry-run', 'print the units, write nothing')
      .addHelpText('after', '\nExample:\n  cairn job install nightly --dry-run');
  },

  async run(context, { operands, options }) {
    const given = options as Options;
    const { job, main } = meantUnits(operands[0], given);
    const { state, cache } = jobDirectoriesOf(context);
    const units = await unitsFor(context, job, given.user === true);
    const directory = unitDirectory(context, given);
    await warnOfBoth(context, directory, job);
    const files = units.map(({ name: file, text }) => ({ file: join(directory, file), text }));
    const { dryRun = false } = given;
    const enabled = !dryRun && given.unitDirectory === undefined && given.enable !== false;
    if (dryRun) {
      if (context.json) await context.output.line(JSON.stringify({ dry_run: true, enabled, units: files }));
      else for (const { file, text } of files) await context.output.line(`# ${file}\n${text}`);
      return;
    }
    // In the unit of a job everything else is read-only: what is to be written must be there.
    for (const needed of [directory, state, cache]) await makeDirectory(needed, needed === directory ? 0o755 : 0o700);
    for (const { file, text } of files) await replace(file, text);
    if (enabled) {
      await systemctl(given, ['daemon-reload'], WITHOUT_SYSTEMD);
      await systemctl(given, ['enable', '--now', main], WITHOUT_SYSTEMD);
      // A daemon that runs already goes on with the command of before.
      if (job === undefined) await systemctl(given, ['restart', main], WITHOUT_SYSTEMD);
    }
    if (context.json) await context.output.line(JSON.stringify({ dry_run: false, enabled, units: files }));
    else for (const { file } of files) await context.output.line(file);
    context.messages.info(enabled ? `${main} is on.` : `${main} is not switched on.`);
  },
};

async function unitsFor(context: Context, name: string | undefined, isUser: boolean): Promise<readonly Unit[]> {
  if (name === undefined) return [daemonUnit({ command: commandOf(context, ['job', 'daemon']), isUser })];
  const job = await readJobFile(jobPath(jobsDirectoryOf(context), name));
  const { state, cache } = jobDirectoriesOf(context);
  const command = commandOf(context, ['run', name, '--trigger', 'timer']);
  return unitsOf(job, { command, writes: [state, cache], isUser });
}

/** A job that has a timer and the daemon is started twice each time; one of the two is refused, and told as a failure. */
async function warnOfBoth({ messages }: Context, directory: string, job: string | undefined): Promise<void> {
  const there = await namesIn(directory);
  if (job !== undefined && there.includes(DAEMON_UNIT)) {
    messages.warn(`${DAEMON_UNIT} is installed and runs this job, too: cairn job uninstall --daemon`);
  }
  const timers = there.filter((name) => name.startsWith(UNIT_PREFIX) && name.endsWith('.timer'));
  if (job === undefined && timers.length > 0) {
    messages.warn(`${timers.join(', ')} run jobs, too: take them away with cairn job uninstall`);
  }
}

/**
 * What this command finds in its environment and a service of systemd does not: where the files of this account are, and how repositories
 * are reached. None is a secret, for everybody can read a unit; those are in the files that the job names.
 */
const SAME_TEXTS = [
  'CAIRN_SERVER_FINGERPRINT',
  'CAIRN_SSH',
  'CAIRN_SSH_OPTIONS',
  'CAIRN_SSH_CONNECTIONS',
  'AWS_PROFILE',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
] as const;
const SAME_PATHS = [
  'HOME',
  'XDG_CONFIG_HOME',
  'CAIRN_CONFIG',
  'CAIRN_CA_FILE',
  'NODE_EXTRA_CA_CERTS',
  'AWS_SHARED_CREDENTIALS_FILE',
] as const;
const SAME_PLACES = ['state-directory', 'cache-directory'] as const;

/** The words that do it the way this very command would: the same program, the same directories, the same way to a repository. */
function commandOf({ settings, variables }: Context, words: readonly string[]): string[] {
  const places = SAME_PLACES.flatMap((place) => {
    const setting = settings.find(place);
    return setting === undefined
      ? []
      : [`CAIRN_${place.toUpperCase().replace('-', '_')}=${resolve(String(setting.value))}`];
  });
  const texts = SAME_TEXTS.flatMap((name) => (variables[name] ? [`${name}=${variables[name]}`] : []));
  const paths = SAME_PATHS.flatMap((name) => (variables[name] ? [`${name}=${resolve(variables[name])}`] : []));
  const program = [process.execPath, process.argv[1] ?? ''];
  const jobs = ['--jobs-directory', jobsDirectoryOf({ settings })];
  return ['/usr/bin/env', ...paths, ...places, ...texts, ...program, ...words, ...jobs];
}

async function makeDirectory(directory: string, mode: number): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode });
  } catch (cause) {
    throw cannotWrite(directory, cause);
  }
}

/** Puts a unit in the place of an older one, whole or not at all. */
async function replace(path: string, text: string): Promise<void> {
  try {
    await writeFile(`${path}.new`, text, { mode: 0o644 });
    await rename(`${path}.new`, path);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

function cannotWrite(path: string, cause: unknown): CairnError {
  return new CairnError('TARGET_FAILED', `cannot write ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
    hint: 'Run it as root, or install units of your own with --user.',
    cause,
  });
}
