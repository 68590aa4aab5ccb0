import { CairnError, systemErrorCode } from '@cairn/core';
import { jobPath } from '@cairn/jobs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';

import { addJobsDirectory, jobsDirectoryOf } from '../jobs/job-context.ts';
import { meantUnits, namesIn, systemctl, unitDirectory, type UnitPlace } from '../jobs/systemd.ts';
import type { Verb } from '../verb.ts';

export const jobUninstall: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description(
        'Switch off and remove the units of a job, or of the daemon. Job files, the record of runs and all archives stay.',
      )
      .argument('[job]', 'name of a job; its file may be gone')
      .option('--daemon', 'the service for all jobs')
      .option('--user', 'units of your own account')
      .option('--unit-directory <directory>', 'remove the units there, and leave systemd alone')
      .addHelpText('after', '\nExample:\n  cairn job uninstall nightly');
  },

  async run(context, { operands, options }) {
    const place = options as UnitPlace;
    const { job, main, names } = meantUnits(operands[0], place);
    // Nothing but the name of a job may become a part of a path.
    if (job !== undefined) jobPath(jobsDirectoryOf(context), job);
    const directory = unitDirectory(context, place);
    const there = await namesIn(directory);
    const removed = names.filter((name) => there.includes(name)).map((name) => join(directory, name));
    if (removed.length === 0) {
      throw new CairnError('NOT_FOUND', `there is no ${names.join(' nor ')} in ${directory}`, {
        hint: 'See `cairn job list`; --user means units of your own account.',
      });
    }
    const hint = `Nothing was removed. Without systemd: --unit-directory ${directory}`;
    if (place.unitDirectory === undefined) await systemctl(place, ['disable', '--now', main], hint);
    for (const file of removed) await removeUnit(file);
    if (place.unitDirectory === undefined) await systemctl(place, ['daemon-reload'], 'The units are removed.');
    if (context.json) await context.output.line(JSON.stringify({ units: removed }));
    else for (const file of removed) await context.output.line(`removed ${file}`);
  },
};

async function removeUnit(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (cause) {
    throw new CairnError('TARGET_FAILED', `cannot remove ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
      hint: 'Run it as root, or with --user for units of your own.',
      cause,
    });
  }
}
