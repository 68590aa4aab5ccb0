import { CairnError, systemErrorCode } from '@cairn/core';
import { jobPath, readJobFile, unitNames, unitsOf } from '@cairn/jobs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Context } from '../context.ts';
import { addJobsDirectory, jobDirectoriesOf, jobsDirectoryOf } from '../jobs/job-context.ts';
import { systemctl, unitDirectory, type UnitPlace } from '../jobs/systemd.ts';
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
          'need of the job file: install it again when its schedule, its repository or its limits change.',
      )
      .argument('<job>', 'name of a job in the jobs directory')
      .option('--user', 'units of your own account; needs no root, and runs while you are logged in or linger')
      .option('--unit-directory <directory>', 'write the units there, and leave systemd alone')
      .option('--no-enable', 'write the units, and do not switch the timer on')
      .option('-n, --dry-run', 'print the units, write nothing')
      .addHelpText('after', '\nExample:\n  cairn job install nightly --dry-run');
  },

  async run(context, { operands, options }) {
    const [name = ''] = operands;
    const given = options as Options;
    const job = await readJobFile(jobPath(jobsDirectoryOf(context), name));
    const { state, cache } = jobDirectoriesOf(context);
    const units = unitsOf(job, {
      command: commandOf(context, name),
      writes: [state, cache],
      isUser: given.user === true,
    });
    const directory = unitDirectory(context, given);
    const files = units.map(({ name: file, text }) => ({ file: join(directory, file), text }));
    const { dryRun = false } = given;
    const enabled = !dryRun && given.unitDirectory === undefined && given.enable !== false;
    if (dryRun) {
      if (context.json) await context.output.line(JSON.stringify({ dry_run: true, enabled, units: files }));
      else for (const { file, text } of files) await context.output.line(`# ${file}\n${text}`);
      return;
    }
    // In the unit everything else is read-only: what is to be written must be there.
    for (const needed of [directory, state, cache]) await makeDirectory(needed, needed === directory ? 0o755 : 0o700);
    for (const { file, text } of files) await replace(file, text);
    const { timer } = unitNames(name);
    if (enabled) {
      await systemctl(given, ['daemon-reload'], WITHOUT_SYSTEMD);
      await systemctl(given, ['enable', '--now', timer], WITHOUT_SYSTEMD);
    }
    if (context.json) await context.output.line(JSON.stringify({ dry_run: false, enabled, units: files }));
    else for (const { file } of files) await context.output.line(file);
    context.messages.info(enabled ? `${timer} is on.` : `${timer} is not switched on.`);
  },
};

/** The words that run the job the way this very command runs: the same program, the same directories. */
function commandOf(context: Context, name: string): string[] {
  const program = [process.execPath, process.argv[1] ?? ''];
  const { settings } = context;
  const places = ['state-directory', 'cache-directory'] as const;
  const variables = places.flatMap((place) => {
    const setting = settings.find(place);
    const variable = `CAIRN_${place.toUpperCase().replace('-', '_')}`;
    return setting === undefined || setting.layer === 'default' ? [] : [`${variable}=${String(setting.value)}`];
  });
  const words = [...program, 'run', name, '--trigger', 'timer', '--jobs-directory', jobsDirectoryOf(context)];
  return variables.length === 0 ? words : ['/usr/bin/env', ...variables, ...words];
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
