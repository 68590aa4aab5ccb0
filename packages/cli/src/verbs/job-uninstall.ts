import { CairnError, systemErrorCode } from '@cairn/core';
import { jobPath, unitNames } from '@cairn/jobs';
import { existsSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import { join } from 'node:path';

import { addJobsDirectory, jobsDirectoryOf } from '../jobs/job-context.ts';
import { systemctl, unitDirectory, type UnitPlace } from '../jobs/systemd.ts';
import type { Verb } from '../verb.ts';

export const jobUninstall: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description(
        'Switch off and remove the units of a job. The job file, the record of its runs and all archives stay.',
      )
      .argument('<job>', 'name of a job; its file may be gone')
      .option('--user', 'units of your own account')
      .option('--unit-directory <directory>', 'remove the units there, and leave systemd alone')
      .addHelpText('after', '\nExample:\n  cairn job uninstall nightly');
  },

  async run(context, { operands, options }) {
    const [name = ''] = operands;
    const place = options as UnitPlace;
    // Nothing but the name of a job may become a part of a path.
    jobPath(jobsDirectoryOf(context), name);
    const { service, timer } = unitNames(name);
    const directory = unitDirectory(context, place);
    const removed = [timer, service].map((unit) => join(directory, unit)).filter((file) => existsSync(file));
    if (removed.length === 0) {
      throw new CairnError('NOT_FOUND', `there are no units of the job ${name} in ${directory}`, {
        hint: 'See `cairn job list`; --user means units of your own account.',
      });
    }
    const hint = `Nothing was removed. Without systemd: --unit-directory ${directory}`;
    if (place.unitDirectory === undefined) await systemctl(place, ['disable', '--now', timer], hint);
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
