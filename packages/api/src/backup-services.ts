import type { Environment, PendingDeletions } from '@cairn/core';
import type { RunStore } from '@cairn/jobs';

import { ArchiveCatalog } from './archives/archive-catalog.ts';
import type { PanelConfig } from './config/panel-file.ts';
import { JobBook } from './jobs/job-book.ts';
import type { OpenRepositories } from './repositories/open-repositories.ts';
import { PlanShelf } from './retention/plan-shelf.ts';
import type { PrunePlans } from './retention/prune-plans.ts';
import { AdHocActs } from './runs/ad-hoc-acts.ts';
import { RunLauncher } from './runs/run-launcher.ts';

/** What routes of archives, retention, jobs and runs work with. */
export interface BackupServices {
  readonly catalog: ArchiveCatalog;
  /** Plans that were shown, and wait for somebody to carry them out. */
  readonly prunePlans: PlanShelf<PrunePlans>;
  readonly compactPlans: PlanShelf<PendingDeletions>;
  readonly jobs: JobBook;
  /** What starts runs and cancels them, and jobs that are made for one act. */
  readonly launcher: RunLauncher;
  readonly acts: AdHocActs;
}

export interface BackupSurroundings {
  readonly environment: Environment;
  readonly repositories: OpenRepositories;
  readonly runs: RunStore;
  readonly cairnCommand: readonly string[];
  /** Environment variables of runs. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Name of this machine, and its time zone of the IANA database. */
  readonly host: string;
  readonly timeZone: string;
}

export function makeBackupServices(config: PanelConfig, surroundings: BackupSurroundings): BackupServices {
  const { environment, repositories, runs, cairnCommand, variables, host, timeZone } = surroundings;
  const { 'state-directory': stateDirectory, 'jobs-directory': jobsDirectory } = config;
  const jobs = new JobBook({ directory: jobsDirectory, clock: environment.clock, host, timeZone });
  return {
    catalog: new ArchiveCatalog(environment.clock, (name) => jobs.policies(repositories.config(name).address)),
    prunePlans: new PlanShelf(environment),
    compactPlans: new PlanShelf(environment),
    jobs,
    launcher: new RunLauncher({ runs, environment, command: cairnCommand, jobsDirectory, stateDirectory, variables }),
    acts: new AdHocActs(repositories),
  };
}
